import { Readable } from 'node:stream';
import { discardIn } from '../results/result-body.js';
import { PayloadInvalidError, ResultInvalidError, type SchemaFailure, type SchemaIssue } from './schema.errors.js';
import type { StandardIssue, StandardSchemaV1 } from './standard-schema.js';

const MOST_ISSUES = 20;
const LONGEST_TEXT = 200;

/**
 * Checks a payload and leaves it as it is: what a schema makes of it is made when the job runs.
 *
 * @param place - where it stands in a list, as in `entries[3]`.
 * @throws {@link PayloadInvalidError}
 * @internal
 */
export async function checkPayload(
  task: string,
  schema: StandardSchemaV1,
  payload: unknown,
  place?: string,
): Promise<void> {
  const result = await schema['~standard'].validate(payload);
  const root = place === undefined ? '$' : `${place}.payload`;
  if (result.issues) throw new PayloadInvalidError(task, failureOf(result.issues, root));
}

/** What the schema makes of a payload. @throws {@link PayloadInvalidError} @internal */
export async function parsePayload(task: string, schema: StandardSchemaV1, payload: unknown): Promise<unknown> {
  const result = await schema['~standard'].validate(payload);
  if (result.issues) throw new PayloadInvalidError(task, failureOf(result.issues, '$'));
  return result.value;
}

/** What the schema makes of a result. @throws {@link ResultInvalidError} @internal */
export async function parseResult(task: string, schema: StandardSchemaV1, returned: unknown): Promise<unknown> {
  // A stream may fail meanwhile, and nobody listens to it yet.
  if (returned instanceof Readable) returned.on('error', () => {});
  try {
    const result = await schema['~standard'].validate(returned);
    if (result.issues) throw new ResultInvalidError(task, failureOf(result.issues, '$'));
    return result.value;
  } catch (error) {
    discardIn(returned);
    throw error;
  }
}

function failureOf(issues: readonly StandardIssue[], root: string): SchemaFailure {
  return { issues: issues.slice(0, MOST_ISSUES).map((issue) => describe(issue, root)), count: issues.length };
}

/** A schema may repeat the keys and the values of the payload, however long they are. */
function describe({ path = [], message }: StandardIssue, root: string): SchemaIssue {
  const steps = path.map((step) => stepOf(typeof step === 'object' ? step.key : step));
  return { path: bounded(root + steps.join('')), message: bounded(String(message)) };
}

function stepOf(key: PropertyKey): string {
  if (typeof key === 'number') return `[${key}]`;
  const name = String(key);
  return /^[A-Za-z_$][\w$]*$/.test(name) ? `.${name}` : `[${JSON.stringify(name)}]`;
}

function bounded(text: string): string {
  return text.length > LONGEST_TEXT ? `${text.slice(0, LONGEST_TEXT)}...` : text;
}
