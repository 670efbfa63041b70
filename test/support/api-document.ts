// The API document as whoever reads it sees it: its operations, and whether what a server answered is what it says.
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';

export type Json = { readonly [key: string]: unknown };

export interface Parameter {
  readonly name: string;
  readonly in: string;
  readonly required?: boolean;
  readonly schema?: Json;
}

export interface Operation extends Json {
  readonly operationId: string;
  readonly parameters: readonly Parameter[];
  readonly requestBody?: { readonly content: Readonly<Record<string, { readonly schema: Json }>> };
  readonly responses: Readonly<
    Record<string, { readonly content?: Readonly<Record<string, { readonly schema: Json }>> }>
  >;
}

export interface ApiDocument {
  readonly openapi: string;
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, Json>> };
}

export interface DescribedOperation {
  /** In capitals. */
  readonly method: string;
  /** With the names of its parameters in braces. */
  readonly path: string;
  readonly operation: Operation;
}

export function operationsOf(document: ApiDocument): DescribedOperation[] {
  return Object.entries(document.paths).flatMap(([path, item]) =>
    Object.entries(item).map(([method, operation]) => ({ method: method.toUpperCase(), path, operation })),
  );
}

/** Each schema is compiled once, when it is first needed. */
export class DocumentSchemas {
  private readonly ajv = new Ajv2020({ strict: false, validateFormats: false, allErrors: true });
  private readonly compiled = new Map<Json, ValidateFunction>();

  constructor(document: ApiDocument) {
    const schemas = Object.entries(document.components.schemas).map(([name, one]) => [
      name,
      closedInside(one),
    ]);
    this.ajv.addSchema(
      inDocument({ components: { schemas: Object.fromEntries(schemas) as Json } }),
      DOCUMENT,
    );
  }

  /** Empty when the value is as the schema says, and has no field that the schema does not have. */
  faultsIn(schema: Json | undefined, value: unknown): unknown {
    if (schema === undefined) return 'no schema';
    const validate = this.compiled.get(schema) ?? this.ajv.compile(inDocument(closed(schema)));
    this.compiled.set(schema, validate);
    return validate(value)
      ? []
      : validate.errors?.map(({ instancePath, message, params }) => ({ instancePath, message, params }));
  }
}

const DOCUMENT = 'document';

/** References lead to the one document, from whichever schema they are in. */
function inDocument(schema: Json): Json {
  const text = JSON.stringify(schema);
  return JSON.parse(text.replaceAll('"#/components/', `"${DOCUMENT}#/components/`)) as Json;
}

/** A field that the document does not have is as wrong as one that the answer does not have. */
function closed(schema: Json): Json {
  const holdsFields = ['$ref', 'allOf', 'anyOf', 'properties'].some((key) => key in schema);
  const isClosed = 'additionalProperties' in schema;
  return { ...closedInside(schema), ...(holdsFields && !isClosed && { unevaluatedProperties: false }) };
}

/** A schema that others may add fields to is left open itself. */
function closedInside(schema: Json): Json {
  const { properties, items } = schema as {
    readonly properties?: Record<string, Json>;
    readonly items?: Json;
  };
  const fields = Object.entries(properties ?? {}).map(([name, field]) => [name, closed(field)]);
  return {
    ...schema,
    ...(properties && { properties: Object.fromEntries(fields) as Json }),
    ...(items && { items: closed(items) }),
  };
}
