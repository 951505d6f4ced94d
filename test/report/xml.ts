/** A reader of XML as strict as the pictures need: every tag closed in turn, every attribute quoted, no stray < or &. */

export interface XmlElement {
  readonly name: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly children: XmlElement[];
  text: string;
}

const ENTITIES: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };

function decoded(text: string): string {
  if (text.includes('<')) throw new Error(`A stray < in ${text}`);
  return text.replace(/&([^;]*;?)/g, (_, entity: string) => {
    const character = ENTITIES[entity.slice(0, -1)];
    if (!entity.endsWith(';') || character === undefined) throw new Error(`A stray & in ${text}`);
    return character;
  });
}

/** @throws Error where the text is not well formed. */
export function parseXml(text: string): XmlElement {
  const document: XmlElement = { name: '', attributes: {}, children: [], text: '' };
  const open = [document];
  for (const [, content, tag] of text.matchAll(/([^<]*)(?:<([^>]*)>)?/g)) {
    const top = open.at(-1);
    if (top === undefined) throw new Error('More tags are closed than opened');
    top.text += decoded(content ?? '');
    if (tag === undefined) continue;
    if (tag.startsWith('/')) {
      if (open.pop()?.name !== tag.slice(1)) throw new Error(`</${tag.slice(1)}> closes another element`);
      continue;
    }
    const [, name, rest, closed] = /^([a-zA-Z]+)((?:\s+[a-zA-Z:]+="[^"]*")*)\s*(\/?)$/.exec(tag) ?? [];
    if (name === undefined) throw new Error(`<${tag}> is no tag`);
    const pairs = [...(rest ?? '').matchAll(/([a-zA-Z:]+)="([^"]*)"/g)];
    const attributes = Object.fromEntries(pairs.map(([, key, value]) => [key, decoded(value ?? '')]));
    const element: XmlElement = { name, attributes, children: [], text: '' };
    top.children.push(element);
    if (closed === '') open.push(element);
  }
  const [root] = document.children;
  if (open.length !== 1 || root === undefined || document.children.length !== 1) throw new Error('Expected one root');
  return root;
}

/** The element and all below it, in order. */
export function allElements(element: XmlElement): XmlElement[] {
  return [element, ...element.children.flatMap(allElements)];
}
