import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { packTar } from 'modern-tar';

/** A well-formed tar archive of files by path, written by an independent implementation. */
export async function tarOf(files: Readonly<Record<string, string | Uint8Array>>): Promise<Buffer> {
  const entries = Object.entries(files).map(([name, content]) => {
    const body = typeof content === 'string' ? Buffer.from(content) : content;
    return { header: { name, size: body.length, type: 'file' as const }, body };
  });
  return Buffer.from(await packTar(entries));
}

export function writeArchive(folder: string, name: string, tar: Uint8Array): string {
  const path = join(folder, name);
  writeFileSync(path, name.endsWith('gz') ? gzipSync(tar) : tar);
  return path;
}

export interface RawHeader {
  name: string;
  type?: string;
  /** The size field's 12 characters, if not the content's length in octal. */
  size?: string;
  checksum?: string;
  magic?: string;
  prefix?: string;
}

/** One entry, header and padded content, exactly as asked for, sound or not. */
export function rawEntry(header: RawHeader, content: string | Uint8Array = ''): Buffer {
  const body = Buffer.from(content);
  const block = Buffer.alloc(512);
  block.write(header.name, 0, 100, 'utf8');
  block.write('0000644\0', 100, 'latin1');
  block.write(header.size ?? `${body.length.toString(8).padStart(11, '0')}\0`, 124, 12, 'latin1');
  block.write('00000000000\0', 136, 'latin1');
  block.write(header.type ?? '0', 156, 'latin1');
  block.write(header.magic ?? 'ustar\u000000', 257, 'latin1');
  block.write(header.prefix ?? '', 345, 155, 'utf8');
  writeChecksum(block);
  if (header.checksum !== undefined) block.write(header.checksum, 148, 8, 'latin1');
  return Buffer.concat([block, body, Buffer.alloc(-body.length & 511)]);
}

function writeChecksum(block: Buffer): void {
  block.fill(0x20, 148, 156);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 8, 'latin1');
}

/** Makes the checksum of every block right that looks like a header, so that readers get to see what else is wrong. */
export function repairChecksums(archive: Buffer): void {
  for (let start = 0; start < archive.length; start += 512) {
    const block = archive.subarray(start, start + 512);
    if (block.toString('latin1', 257, 260) === 'ust') writeChecksum(block);
  }
}

/** One pax record; its length counts its own digits. */
export function paxRecord(keyword: string, value: string): string {
  const rest = ` ${keyword}=${value}\n`;
  const bytes = Buffer.byteLength(rest);
  const digits = String(bytes + String(bytes).length).length;
  return `${bytes + digits}${rest}`;
}

/** The two zero blocks that close an archive. */
export const END = Buffer.alloc(1024);
