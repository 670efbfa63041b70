// Whether an answer may be what it is, by the API document alone.
import type { DocumentSchemas, Json, Operation } from '../support/api-document.js';
import { bytesOf } from './fuzz-mutations.js';
import { targetOf, type Received } from './fuzz-connection.js';
import type { Draft } from './fuzz-requests.js';

const PROBLEM = 'application/problem+json';
const SHOWN_CHARACTERS = 1_500;

export class FuzzJudge {
  private readonly problem: Json = { $ref: '#/components/schemas/Problem' };

  constructor(private readonly schemas: DocumentSchemas) {}

  /** What is wrong, in words, and the request that shows it; undefined when all is well. */
  faultIn(draft: Draft, received: Received): string | undefined {
    const wrong = this.wrongWith(draft, received);
    return wrong && `${wrong}\n  ${asCommand(draft)}\n  answered ${received.status}: ${shown(received.text)}`;
  }

  /** Of bytes that no client would send: each answer is a refusal, or a good one, and nothing of it is an echo. */
  faultInBytes(bytes: string, text: string): string | undefined {
    const last = text.replace(/^HTTP\/1\.1 100 [^]*?\r\n\r\n/, '');
    const status = Number(/^HTTP\/1\.1 (\d{3}) /.exec(last)?.[1] ?? (text === '' ? 400 : 0));
    const isGood = status >= 200 && status < 500 && !/^x-evil:/im.test(text);
    return isGood ? undefined : `Bytes ${JSON.stringify(bytes.slice(0, 300))} were answered ${shown(text)}`;
  }

  private wrongWith(draft: Draft, received: Received): string | undefined {
    const { status, headers, text = '' } = received;
    const isProblem = (headers['content-type'] ?? '').startsWith(PROBLEM);
    const problem = isProblem ? parsed(text) : undefined;
    if (status >= 500 && !isTooEarly(draft, status, problem)) return 'A fault of the server';
    if (headers['x-request-id'] === undefined) return 'There is no request id';
    if (headers['x-evil'] !== undefined) return 'A value of the request became a header of the answer';
    if (status < 400 && draft.mustFail) return `What is spoilt has succeeded (${draft.spoilt.join(', ')})`;
    if (status >= 400 && draft.method !== 'HEAD') {
      const faults = this.schemas.faultsIn(this.problem, problem);
      if (!isNothing(faults)) return `This is no problem as the document has them: ${JSON.stringify(faults)}`;
      if (problem?.status !== status) return 'The problem names another status';
      if (problem.requestId !== headers['x-request-id']) return 'The problem names another request';
    }
    return draft.operation && this.wrongFor(draft.operation.operation, received);
  }

  private wrongFor({ responses }: Operation, { status, headers, text }: Received): string | undefined {
    const response = responses[status];
    if (response === undefined) return `The document has no ${status} here`;
    const content = response.content ?? {};
    const [type = ''] = (headers['content-type'] ?? '').split(';');
    if (Object.keys(content).length === 0) return text === '' ? undefined : 'The document has no body here';
    if (!(type in content)) return `The document has no ${type} here`;
    if (!/[/+]json$/.test(type) || text === undefined) return undefined;
    const faults = this.schemas.faultsIn(content[type]?.schema, parsed(text));
    return isNothing(faults) ? undefined : `The answer is not as documented: ${JSON.stringify(faults)}`;
  }
}

/** A position that is not there yet is waited for and then refused, as the document says; to HEAD without a body. */
function isTooEarly({ method, query }: Draft, status: number, problem: AnyBody | undefined): boolean {
  if (method !== 'HEAD') return problem?.code === 'not-caught-up';
  return status === 503 && query.some(([name]) => name === 'minPosition');
}

interface AnyBody {
  readonly code?: string;
  readonly status?: number;
  readonly requestId?: string;
}

function parsed(text: string): AnyBody | undefined {
  try {
    return JSON.parse(text) as AnyBody;
  } catch {
    return undefined;
  }
}

function isNothing(faults: unknown): boolean {
  return Array.isArray(faults) && faults.length === 0;
}

/** For a shell, with $URL and $KEY. */
export function asCommand(draft: Draft): string {
  const quoted = (text: string) => `'${text.replaceAll("'", `'\\''`)}'`;
  const headers = Object.entries(draft.headers).flatMap(([name, value]) =>
    [value].flat().map((one) => `-H ${quoted(`${name}: ${one}`)}`),
  );
  const key = 'authorization' in draft.headers ? [] : ['-H "Authorization: Bearer $KEY"'];
  const bytes = bytesOf(draft);
  const type = 'content-type' in draft.headers ? [] : ["-H 'content-type: application/json'"];
  const body = bytes.length === 0 ? [] : [...type, `--data-binary ${quoted(shown(bytes.toString()))}`];
  const target = `"$URL"${quoted(targetOf(draft))}`;
  return ['curl --path-as-is -X', draft.method, ...key, ...headers, ...body, target].join(' ');
}

function shown(text = '(not read to its end)'): string {
  return text.length <= SHOWN_CHARACTERS
    ? text
    : `${text.slice(0, SHOWN_CHARACTERS)}… (${text.length} characters)`;
}
