/** Results as Markdown. */

/** Replaces what stands between `<!-- <name>: begin -->` and `<!-- <name>: end -->`. */
export function replaceBetweenMarkers(text, name, content) {
  const [begin, end] = [`<!-- ${name}: begin -->`, `<!-- ${name}: end -->`];
  const [from, to] = [text.indexOf(begin), text.indexOf(end)];
  if (from < 0 || to < from) throw new Error(`Expected the markers ${begin} and ${end}`);
  return `${text.slice(0, from + begin.length)}\n\n${content}\n\n${text.slice(to)}`;
}

/** All sections of a results file: the tables, then the rooflines of rows that miss their goal. */
export function resultsTables({ machine, versions, sections }) {
  const known = Object.entries(versions).map(([name, version]) => `${name} ${version}`);
  const { processor, cores, memoryGB, system } = machine;
  return [
    `${cores} cores of an ${processor}, ${memoryGB} GB, ${system}; ${known.join(', ')}.`,
    ...Object.values(sections).flatMap(sectionText),
    ...rooflines(Object.values(sections)),
  ].join('\n\n');
}

function sectionText({ title, about, date, rounds, threads, usedByOthers, groups }) {
  const measured = `${date}, ${rounds} rounds, ${threads} threads, ${percent(usedByOthers)} of the machine used by others. ${about}`;
  return [`### ${title}`, measured, ...groups.flatMap((group) => [`**${group.title}**`, groupTable(group)])];
}

/** Columns that no row has a value for are left out. */
export function groupTable({ unit, score, atMost = false, rows }) {
  const columns = [
    { head: '', text: ({ name, form }) => (form === undefined ? name : `${name} (${form})`) },
    { head: `${unit} (median)`, text: ({ median }) => number(median) },
    { head: 'spread', text: ({ least, largest }) => `${number(least)} to ${number(largest)}` },
    { head: 'dnnl_sgemm', text: ({ peer }) => (peer === undefined ? '' : number(peer)) },
    { head: score, text: (row) => (row.score === undefined ? '' : row.score.toFixed(2)) },
    { head: 'goal', text: ({ goal }) => (goal === undefined ? '' : `${atMost ? '≤ ' : ''}${goal}`) },
    { head: 'reached', text: (row) => (row.goal === undefined ? '' : reached(row, atMost) ? 'yes' : 'no') },
    { head: 'realised saving', text: ({ saving }) => (saving === undefined ? '' : saving.toFixed(2)) },
    { head: 'of the peak', text: ({ ofPeak }) => (ofPeak === undefined ? '' : percent(ofPeak)) },
    { head: 'of the roofline', text: (row) => (row.roofline === undefined ? '' : percent(ofRoofline(row))) },
  ].filter(({ head, text }) => head === '' || rows.some((row) => text(row) !== ''));
  return markdown(columns, rows);
}

function rooflines(sections) {
  const missed = sections.flatMap(({ title, groups, ceiling }) =>
    groups.flatMap((group) =>
      group.rows
        .filter((row) => row.roofline !== undefined && row.goal !== undefined && !reached(row, false))
        .map((row) => ({ ...row, section: title, group: group.title, ceiling, atCeiling: bestScore(row) })),
    ),
  );
  if (missed.length === 0) return [];
  const columns = [
    { head: '', text: ({ section, group, name }) => `${name}: ${section}, ${group}` },
    { head: 'GFLOP', text: ({ roofline }) => number(roofline.gflop) },
    { head: 'MB', text: ({ roofline }) => number(roofline.megabytes) },
    { head: 'ms at the ceilings', text: ({ roofline }) => `${number(roofline.milliseconds)} (${roofline.bound})` },
    { head: 'ms', text: ({ median }) => number(median) },
    { head: 'of the roofline', text: (row) => percent(ofRoofline(row)) },
    { head: 'score', text: ({ score }) => score.toFixed(2) },
    { head: 'goal', text: ({ goal }) => String(goal) },
    { head: 'score at the ceilings', text: ({ atCeiling }) => atCeiling.toFixed(2) },
  ];
  const named = new Map(missed.map(({ section, ceiling }) => [section, ceilingText(ceiling)]));
  return [
    '### Rows that miss their goal, and their rooflines',
    'Ceilings, measured just before each comparison: ' +
      `${[...named].map(([section, text]) => `${text} (${section})`).join('; ')}. "Score at the ceilings" is what an ` +
      'implementation would score that takes no longer than the machine must; where it lies below the goal, the goal is ' +
      'out of reach on this machine.',
    markdown(columns, missed),
  ];
}

function ceilingText({ threads, gflops, gigabytes, activations }) {
  return (
    `${number(gflops)} GF/s of multiply-adds in registers, ${number(gigabytes)} GB/s from memory, ` +
    `${number(activations)} · 10⁹ activations a second on ${threads} threads`
  );
}

function reached({ score, goal }, atMost) {
  return atMost ? score <= goal : score >= goal;
}

const ofRoofline = ({ median, roofline }) => roofline.milliseconds / median;

/** What the row would score at its roofline. */
const bestScore = (row) => row.score / ofRoofline(row);

function markdown(columns, rows) {
  const line = (cells) => `| ${cells.join(' | ')} |`;
  return [
    line(columns.map(({ head }) => head)),
    `|${'---|'.repeat(columns.length)}`,
    ...rows.map((row) => line(columns.map(({ text }) => text(row)))),
  ].join('\n');
}

function number(value) {
  if (value >= 100) return Math.round(value).toLocaleString('en');
  return value.toPrecision(3);
}

function percent(part) {
  return `${Math.round(100 * part)} %`;
}
