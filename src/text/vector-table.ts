/** Vectors of one length by word, all in one array that grows as they come. */
export class VectorTable {
  readonly #dimension: number;
  readonly #rows = new Map<string, number>();
  #data: Float32Array;

  constructor(dimension: number) {
    this.#dimension = dimension;
    this.#data = new Float32Array(dimension);
  }

  get size(): number {
    return this.#rows.size;
  }

  has(word: string): boolean {
    return this.#rows.has(word);
  }

  /** A view of the word's vector; `put` may move the vectors elsewhere and leave the view behind. */
  get(word: string): Float32Array | undefined {
    const row = this.#rows.get(word);
    return row === undefined ? undefined : this.#data.subarray(row * this.#dimension, (row + 1) * this.#dimension);
  }

  /** Makes room for the vector of `word`, or finds the one it has, and lets `write` fill it. */
  put(word: string, write: (target: Float32Array, offset: number) => void): void {
    let row = this.#rows.get(word);
    if (row === undefined) {
      row = this.#rows.size;
      this.#rows.set(word, row);
      this.#reserve((row + 1) * this.#dimension);
    }
    write(this.#data, row * this.#dimension);
  }

  #reserve(length: number): void {
    if (length <= this.#data.length) return;
    const grown = new Float32Array(this.#data.length * 2);
    grown.set(this.#data);
    this.#data = grown;
  }
}
