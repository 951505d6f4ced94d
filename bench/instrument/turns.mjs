/** Measuring several contestants so that drift of the machine meets all alike. */

import { median, summary } from './statistics.mjs';

/**
 * Lets the entrants take turns, each once a round and each round beginning with the next of them. What an entrant's
 * `turn()` resolves to is one run's measurements, of which the median counts.
 *
 * @param entrants `{ name, turn, unit? }`
 * @param onTurn told the turns done and their number
 * @param pace of the machine, which has to last through a turn
 * @returns a row for each entrant: its name and the summary of its runs
 */
export async function takeTurns(entrants, rounds, onTurn = () => {}, pace = { during: (turn) => turn() }) {
  const runs = new Map(entrants.map(({ name }) => [name, []]));
  for (let round = 0; round < rounds; round++) {
    for (let place = 0; place < entrants.length; place++) {
      const { name, turn } = entrants[(place + round) % entrants.length];
      runs.get(name).push(median(await pace.during(turn)));
      onTurn(round * entrants.length + place + 1, rounds * entrants.length);
    }
  }
  return entrants.map(({ name, turn: _, ...rest }) => ({ name, ...rest, ...summary(runs.get(name)) }));
}
