// An array of text in PostgreSQL's binary form. The textual form has to be escaped here and taken apart there,
// which costs seconds where an append holds megabytes; this one is the bytes themselves.

const TEXT_OID = 25;
const HEADER_BYTES = 20;

/** For a parameter that the statement casts to text[]. */
export function textArray(texts: readonly string[]): Buffer {
  const sizes = texts.map((text) => Buffer.byteLength(text));
  const array = Buffer.allocUnsafe(sizes.reduce((bytes, size) => bytes + 4 + size, HEADER_BYTES));
  // One dimension, no NULL in it, so many elements, counted from 1.
  [1, 0, TEXT_OID, texts.length, 1].forEach((field, i) => array.writeInt32BE(field, 4 * i));
  let end = HEADER_BYTES;
  for (const [i, text] of texts.entries()) {
    end = array.writeInt32BE(sizes[i] ?? 0, end);
    end += array.write(text, end);
  }
  return array;
}
