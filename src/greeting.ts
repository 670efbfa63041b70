// What a start says on stdout: where the server is, and at the first start the key and what to try first.

/** `newKey` is there at the first start alone: it is kept as a hash and cannot be shown again. */
export function greeting(url: string, newKey: string | undefined): string {
  const where = `Switchyard is listening on ${url} (API document: ${url}/docs)\n`;
  if (newKey === undefined) return where;
  const flow = '{"name":"Hello","kind":"prompt","content":{"prompt":"Say hello in one sentence."}}';
  const curl = (path: string, body?: string): string => {
    const data = body === undefined ? '' : ` -H 'Content-Type: application/json' -d '${body}'`;
    return `  curl -sw '\\n' ${url}/api/v1${path} -H 'Authorization: Bearer ${newKey}'${data}\n`;
  };
  return [
    where,
    `\nYour administrator key, shown this once:\n\n  ${newKey}\n`,
    '\nThree things to try: an environment, a flow with its first version, and which version of it runs:\n\n',
    curl('/environments', '{"name":"development"}'),
    curl('/flows', flow),
    curl('/flows/hello/resolve'),
    '\n',
  ].join('');
}
