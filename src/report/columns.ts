/** Tables for a terminal. */

export interface Column<Row> {
  readonly title: string;
  readonly text: (row: Row) => string;
  /** Default: right, as numbers stand. */
  readonly align?: 'left' | 'right';
}

/** Lines of a table with a line of titles, each column as wide as its longest text, two spaces apart. */
export function tableLines<Row>(rows: readonly Row[], columns: readonly Column<Row>[]): string[] {
  const cells = [columns.map(({ title }) => title), ...rows.map((row) => columns.map(({ text }) => text(row)))];
  const widths = columns.map((_, i) => Math.max(...cells.map((line) => (line[i] as string).length)));
  return cells.map((line) =>
    line
      .map((cell, i) => {
        const width = widths[i] as number;
        return columns[i]?.align === 'left' ? cell.padEnd(width) : cell.padStart(width);
      })
      .join('  ')
      .trimEnd(),
  );
}
