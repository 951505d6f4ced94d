/** What ptxas says of kernels (-Xptxas=-v) as a table. */

import { outputOf } from '../setup/command.mjs';

const ENTRY =
  /Compiling entry function '(\w+)' for '(\w+)'[\s\S]*?(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads\n[^\n]*Used (\d+) registers([^\n]*)/g;

/** Markdown, kernels that spill first, then those with the most registers. */
export function resourceTable(reports) {
  const kernels = reports.flatMap(([source, text]) =>
    [...text.matchAll(ENTRY)].map(([, name, architecture, stack, stores, loads, registers, rest]) => ({
      source,
      name,
      architecture,
      stack: Number(stack),
      spills: Number(stores) + Number(loads),
      registers: Number(registers),
      shared: Number(rest.match(/(\d+) bytes smem/)?.[1] ?? 0),
    })),
  );
  const names = plainNames(kernels.map(({ name }) => name));
  for (const [i, kernel] of kernels.entries()) kernel.name = names[i];
  kernels.sort((a, b) => b.spills - a.spills || b.registers - a.registers);
  return [
    '| source | kernel | target | registers | bytes spilled | stack | static shared |',
    '|---|---|---|---|---|---|---|',
    ...kernels.map(
      ({ source, name, architecture, registers, spills, stack, shared }) =>
        `| ${source} | ${name} | ${architecture} | ${registers} | ${spills} | ${stack} | ${shared} |`,
    ),
    '',
  ].join('\n');
}

/** Names as they were written, where c++filt is there; without parameters, which say little. */
function plainNames(names) {
  if (names.length === 0) return [];
  const plain = outputOf('c++filt', ['-p'], { input: names.join('\n') })
    ?.trimEnd()
    .split('\n');
  return plain?.length === names.length ? plain.map((name) => name.replaceAll('slim::cuda::', '')) : names;
}
