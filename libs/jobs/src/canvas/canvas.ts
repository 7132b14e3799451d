import type { CanvasNode, GroupNode, MemberStream } from './canvas-node.js';
import type { AnySignature, ChainOf, ElementOf, GroupSignature, InOf, Linked, ResultsOf } from './canvas-types.js';
import { InvalidCanvasError } from './canvas.errors.js';
import { invalidCanvas } from './invalid-canvas.js';
import { nodeOf, Signature } from './signature.js';

/** Options of {@link group} and {@link chord}. @publicApi */
export interface GroupOptions {
  /**
   * True: a member that fails or is cancelled fails nothing else; in the place of the results there is what became of
   * each member, see {@link Settled}. @default false
   */
  readonly allowPartial?: boolean;
}

/**
 * One after another: each step gets the result of the one before, and the chain's result is that of the last. When a step
 * fails, the later ones never run and the chain fails with its error. A chain in a chain is part of it; a group that a
 * task follows is the header of a {@link chord}.
 *
 * The idea is Celery's `chain`.
 *
 * @throws {@link InvalidCanvasError} without a step, and for one that is no signature.
 * @example
 * ```ts
 * import { chain, taskContract, type JobsService } from 'nestjs-jobs';
 *
 * const load = taskContract<{ url: string }, string>('page.load');
 * const count = taskContract<{ text: string; word: string }, number>('page.count');
 *
 * export async function countLater(jobs: JobsService, url: string): Promise<string> {
 *   const canvas = chain(load.s({ url }), count.s({ word: 'nest' }, { into: 'text' }));
 *   return (await jobs.start(canvas)).id;
 * }
 * ```
 *
 * @publicApi
 */
export function chain<const Steps extends readonly AnySignature[]>(...steps: Steps & Linked<Steps>): ChainOf<Steps> {
  if (steps.length === 0) throw new InvalidCanvasError('a chain', 'at least one step long, but is empty');
  return new Signature({
    type: 'chain',
    steps: (steps as readonly unknown[]).map((step, n) => nodeOf(step, `chain[${n}]`)),
  }) as ChainOf<Steps>;
}

/**
 * Side by side: the result is the list of the members' results, in the order of the members. All members get the result of
 * the step before. A group in a group is a part of it, when both have `allowPartial` or neither has. When a member fails,
 * the group fails with its error, and the others run on. An empty group succeeds with `[]`.
 *
 * Of an iterable, also an async one, the members are added as they come, when the group stands at the beginning of the
 * canvas: a hundred thousand need no more memory than a few hundred. See {@link JobsService.start} for what happens when
 * this process dies meanwhile. A generator can be read, and the canvas started, only once.
 *
 * The idea is Celery's `group`.
 *
 * @param members - signatures: an array, or an iterable, which is read when the canvas is started.
 * @throws {@link InvalidCanvasError} for what is no list of signatures; of an iterable when it is read.
 * @example
 * ```ts
 * import { group, type JobsService, taskContract } from 'nestjs-jobs';
 *
 * const resize = taskContract<{ image: string; width: number }, string>('image.resize');
 *
 * export async function thumbnails(jobs: JobsService, image: string): Promise<string[]> {
 *   const sizes = group([100, 400, 1600].map((width) => resize.s({ image, width })));
 *   return (await jobs.start(sizes)).result({ timeout: '1m' });
 * }
 *
 * export async function thumbnailsOfAll(jobs: JobsService, images: AsyncIterable<string>): Promise<string> {
 *   const all = async function* () {
 *     for await (const image of images) yield resize.s({ image, width: 100 });
 *   };
 *   const started = await jobs.start(group(all(), { allowPartial: true }));
 *   return started.id;
 * }
 * ```
 *
 * @publicApi
 */
export function group<const Members extends readonly AnySignature[]>(
  members: Members,
  options?: { readonly allowPartial?: false },
): GroupSignature<InOf<Members>, ResultsOf<Members>>;
export function group<const Members extends readonly AnySignature[]>(
  members: Members,
  options: { readonly allowPartial: true },
): GroupSignature<InOf<Members>, ResultsOf<Members, 'partial'>, 'partial'>;
export function group<Member extends AnySignature>(
  members: Iterable<Member> | AsyncIterable<Member>,
  options?: { readonly allowPartial?: false },
): GroupSignature<InOf<Member[]>, ElementOf<Member>[]>;
export function group<Member extends AnySignature>(
  members: Iterable<Member> | AsyncIterable<Member>,
  options: { readonly allowPartial: true },
): GroupSignature<InOf<Member[]>, ElementOf<Member, 'partial'>[], 'partial'>;
export function group(members: unknown, options: GroupOptions = {}): unknown {
  return new Signature(groupNode(members, options, 'group'));
}

/**
 * A group and a body that runs once, after all of its members, with the list of their results in the order of the members.
 * It is `chain(group(header), body)`. When a member fails the body never runs, and fails with the member's error, unless
 * there is `allowPartial`. The body of an empty header gets `[]`.
 *
 * The idea is Celery's `chord`.
 *
 * @param header - the members: an array, an iterable, or a group, which then has its own `allowPartial`.
 * @param body - what takes the list: a task, or any canvas.
 * @throws {@link InvalidCanvasError} for what is no list of signatures, and for a body that is no signature.
 * @example
 * ```ts
 * import { chord, taskContract, type JobsService } from 'nestjs-jobs';
 *
 * const measure = taskContract<string, number>('file.measure');
 * const sum = taskContract<number[], number>('numbers.sum');
 *
 * export async function total(jobs: JobsService, files: string[]): Promise<number> {
 *   const started = await jobs.start(chord(files.map((file) => measure.s(file)), sum.s()));
 *   return started.result({ timeout: '5m' });
 * }
 * ```
 *
 * @publicApi
 */
export function chord<const Members extends readonly AnySignature[], Out>(
  header: Members,
  body: Signature<ResultsOf<Members>, Out>,
  options?: { readonly allowPartial?: false },
): Signature<InOf<Members>, Out>;
export function chord<const Members extends readonly AnySignature[], Out>(
  header: Members,
  body: Signature<ResultsOf<Members, 'partial'>, Out>,
  options: { readonly allowPartial: true },
): Signature<InOf<Members>, Out>;
export function chord<In, Results, Out>(
  header: Signature<In, Results>,
  body: Signature<Results, Out>,
): Signature<In, Out>;
export function chord<Member extends AnySignature, Out>(
  header: Iterable<Member> | AsyncIterable<Member>,
  body: Signature<ElementOf<Member>[], Out>,
  options?: { readonly allowPartial?: false },
): Signature<InOf<Member[]>, Out>;
export function chord<Member extends AnySignature, Out>(
  header: Iterable<Member> | AsyncIterable<Member>,
  body: Signature<ElementOf<Member, 'partial'>[], Out>,
  options: { readonly allowPartial: true },
): Signature<InOf<Member[]>, Out>;
export function chord(header: unknown, body: unknown, options: GroupOptions = {}): unknown {
  const node = header instanceof Signature ? header.node : groupNode(header, options, "a chord's header");
  if (node.type !== 'group') throw invalidCanvas("a chord's header", 'a group, or a list of signatures', header);
  return new Signature({ type: 'chain', steps: [node, nodeOf(body, "a chord's body")] });
}

function groupNode(members: unknown, options: GroupOptions, place: string): GroupNode {
  const { allowPartial } = options;
  if (allowPartial !== undefined && typeof allowPartial !== 'boolean') {
    throw invalidCanvas(`${place}, its allowPartial,`, 'true or false', allowPartial);
  }
  const extras = allowPartial ? { allowPartial: true } : {};
  if (Array.isArray(members)) {
    return { type: 'group', members: members.map((member, n) => nodeOf(member, `${place}[${n}]`)), ...extras };
  }
  if (isIterable(members)) return { type: 'group', members: streamOf(members, place), ...extras };
  throw invalidCanvas(place, 'a list or an iterable of signatures', members);
}

function isIterable(value: unknown): value is Iterable<unknown> | AsyncIterable<unknown> {
  return typeof value === 'object' && value !== null && (Symbol.iterator in value || Symbol.asyncIterator in value);
}

function streamOf(members: Iterable<unknown> | AsyncIterable<unknown>, place: string): MemberStream {
  let wasRead = false;
  return {
    async *stream(): AsyncGenerator<CanvasNode> {
      // Read again, it would be empty, and so would the group.
      if (wasRead && isReadOnce(members)) {
        throw invalidCanvas(place, 'an iterable that can be read again to be started again', members);
      }
      wasRead = true;
      let n = 0;
      for await (const member of members) yield nodeOf(member, `${place}[${n++}]`);
    },
  };
}

/** A generator is its own iterator. */
function isReadOnce(members: object): boolean {
  return 'next' in members && typeof members.next === 'function';
}
