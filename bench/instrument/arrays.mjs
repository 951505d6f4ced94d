/**
 * Arrays that several contestants read: one file each in a folder, the bare numbers, little-endian, `.f32` or `.i32`,
 * and their shapes in `arrays.json`.
 */

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** @param arrays tensors by name */
export function writeArrays(folder, arrays) {
  mkdirSync(folder, { recursive: true });
  const shapes = {};
  for (const [name, { data, shape }] of Object.entries(arrays)) {
    const file = `${name}.${data instanceof Int32Array ? 'i32' : 'f32'}`;
    writeFileSync(join(folder, file), new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
    shapes[name] = { file, shape };
  }
  writeFileSync(join(folder, 'arrays.json'), `${JSON.stringify(shapes)}\n`);
}

/** @returns tensors by name */
export function readArrays(folder) {
  const shapes = JSON.parse(readFileSync(join(folder, 'arrays.json'), 'utf8'));
  return Object.fromEntries(
    Object.entries(shapes).map(([name, { file, shape }]) => {
      const { buffer, byteOffset, byteLength } = readFileSync(join(folder, file));
      const bytes = buffer.slice(byteOffset, byteOffset + byteLength);
      return [name, { data: file.endsWith('.i32') ? new Int32Array(bytes) : new Float32Array(bytes), shape }];
    }),
  );
}
