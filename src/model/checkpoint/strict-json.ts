/**
 * JSON as RFC 8259 has it, for files that are not trusted: a key that stands twice in an object is an error (JSON.parse
 * keeps the last), nesting has a limit, objects have no prototype.
 */

export type JsonValue = null | boolean | number | string | JsonValue[] | JsonObject;

export interface JsonObject {
  [key: string]: JsonValue;
}

/** What is wrong with a text that is no strict JSON. */
export class JsonSyntaxError extends Error {
  readonly kind: 'syntax' | 'duplicate key' | 'depth';

  constructor(kind: JsonSyntaxError['kind'], message: string) {
    super(message);
    this.kind = kind;
  }
}

const DEEPEST = 32;

/** @throws JsonSyntaxError */
export function parseStrictJson(text: string): JsonValue {
  return new Parser(text).whole();
}

export function isJsonObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

const WHITE_SPACE = /[ \t\n\r]*/y;
const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const WORD = /true|false|null/y;

class Parser {
  readonly #text: string;
  #at = 0;
  #depth = 0;

  constructor(text: string) {
    this.#text = text;
  }

  whole(): JsonValue {
    const value = this.#value();
    this.#skip();
    if (this.#at !== this.#text.length) throw this.#unexpected();
    return value;
  }

  #value(): JsonValue {
    this.#skip();
    switch (this.#text[this.#at]) {
      case '{':
        return this.#nested(() => this.#object());
      case '[':
        return this.#nested(() => this.#array());
      case '"':
        return this.#string();
      default:
        return this.#numberOrWord();
    }
  }

  #nested<Value>(parse: () => Value): Value {
    if (++this.#depth > DEEPEST) throw new JsonSyntaxError('depth', `nested deeper than ${DEEPEST} levels`);
    this.#at++;
    const value = parse();
    this.#depth--;
    return value;
  }

  #object(): JsonObject {
    const object: JsonObject = Object.create(null);
    if (this.#taken('}')) return object;
    do {
      this.#skip();
      if (this.#text[this.#at] !== '"') throw this.#unexpected();
      const key = this.#string();
      if (Object.hasOwn(object, key)) {
        throw new JsonSyntaxError('duplicate key', `the key ${JSON.stringify(key)} stands there twice`);
      }
      if (!this.#taken(':')) throw this.#unexpected();
      object[key] = this.#value();
    } while (this.#taken(','));
    if (!this.#taken('}')) throw this.#unexpected();
    return object;
  }

  #array(): JsonValue[] {
    const array: JsonValue[] = [];
    if (this.#taken(']')) return array;
    do array.push(this.#value());
    while (this.#taken(','));
    if (!this.#taken(']')) throw this.#unexpected();
    return array;
  }

  /** Up to the closing quote; whether what stands between is a JSON string is left to JSON.parse. */
  #string(): string {
    const begin = this.#at;
    let end = begin + 1;
    while (end < this.#text.length && this.#text[end] !== '"') end += this.#text[end] === '\\' ? 2 : 1;
    try {
      const value = JSON.parse(this.#text.slice(begin, end + 1)) as string;
      this.#at = end + 1;
      return value;
    } catch {
      throw new JsonSyntaxError('syntax', `no valid string at character ${begin}`);
    }
  }

  #numberOrWord(): JsonValue {
    const first = this.#text[this.#at] ?? '';
    if ((first >= '0' && first <= '9') || first === '-') return Number(this.#match(NUMBER));
    return JSON.parse(this.#match(WORD)) as boolean | null;
  }

  #match(pattern: RegExp): string {
    pattern.lastIndex = this.#at;
    const [found] = pattern.exec(this.#text) ?? [];
    if (found === undefined) throw this.#unexpected();
    this.#at += found.length;
    return found;
  }

  #skip(): void {
    WHITE_SPACE.lastIndex = this.#at;
    WHITE_SPACE.exec(this.#text);
    this.#at = WHITE_SPACE.lastIndex;
  }

  #taken(character: string): boolean {
    this.#skip();
    if (this.#text[this.#at] !== character) return false;
    this.#at++;
    return true;
  }

  #unexpected(): JsonSyntaxError {
    const character = this.#text[this.#at];
    const what = character === undefined ? 'end' : JSON.stringify(character);
    return new JsonSyntaxError('syntax', `unexpected ${what} at character ${this.#at}`);
  }
}
