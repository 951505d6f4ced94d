/** Takes counted bytes from a stream of pieces. */
export class ChunkReader {
  readonly #chunks: AsyncIterator<Buffer>;
  #chunk: Buffer = Buffer.alloc(0);
  #position = 0;

  constructor(chunks: AsyncIterable<Buffer>) {
    this.#chunks = chunks[Symbol.asyncIterator]();
  }

  /** The next `length` bytes, or undefined if the present piece does not hold them all; never waits. */
  takeAtHand(length: number): Buffer | undefined {
    const end = this.#position + length;
    if (end > this.#chunk.length) return undefined;
    const taken = this.#chunk.subarray(this.#position, end);
    this.#position = end;
    return taken;
  }

  /** The next `length` bytes, or as many as the stream still had. Memory grows with what arrives, not with `length`. */
  async take(length: number): Promise<Buffer> {
    const atHand = this.takeAtHand(length);
    if (atHand !== undefined) return atHand;
    const parts: Buffer[] = [];
    await this.#pass(length, (part) => parts.push(part));
    return Buffer.concat(parts);
  }

  /** Goes over the next `length` bytes; gives how many there were. */
  async skip(length: number): Promise<number> {
    return this.takeAtHand(length)?.length ?? this.#pass(length, () => {});
  }

  /** Ends the stream, whether all of it was taken or not. */
  async close(): Promise<void> {
    await this.#chunks.return?.();
  }

  async #pass(length: number, see: (part: Buffer) => void): Promise<number> {
    let missing = length;
    while (missing > 0) {
      if (this.#position === this.#chunk.length) {
        const next = await this.#chunks.next();
        if (next.done) break;
        this.#chunk = next.value;
        this.#position = 0;
      }
      const part = this.#chunk.subarray(this.#position, this.#position + missing);
      this.#position += part.length;
      missing -= part.length;
      see(part);
    }
    return length - missing;
  }
}
