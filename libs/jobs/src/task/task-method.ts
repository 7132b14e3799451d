/**
 * By this Nest knows classes that are called from outside, as it knows controllers. Only to those does it give global
 * enhancers in request scope, which would be passed over else, and transient ones with their dependencies. The literal,
 * because Nest 11 exports the constant nowhere.
 */
const ENTRY_PROVIDER = '__entryProvider__';

/** Of a class with methods that the library calls. @internal */
export function markAsEntry(target: object): void {
  Reflect.defineMetadata(ENTRY_PROVIDER, true, target.constructor);
}

/** For messages. @internal */
export function nameOfPlace(target: object, method: string | symbol): string {
  if (typeof target === 'function') return `${target.name}.${String(method)}`;
  const { name } = target.constructor;
  return typeof method === 'symbol' ? `${name}[${String(method)}]` : `${name}.${method}`;
}

type PlaceError = new (place: string, problem: string, fix: string) => Error;

/** @throws what the decorator complains with, on what is no instance method with a name. @internal */
export function assertInstanceMethod(
  target: object,
  method: string | symbol,
  descriptor: { readonly value?: unknown } | undefined,
  Complaint: PlaceError,
): asserts descriptor is { readonly value: object } {
  const place = nameOfPlace(target, method);
  if (typeof target === 'function') {
    throw new Complaint(place, 'is static', 'Make it a method of the instances');
  }
  if (typeof method === 'symbol') {
    throw new Complaint(place, 'is named by a symbol', 'Give the method a name that is a string');
  }
  if (typeof descriptor?.value !== 'function') {
    throw new Complaint(place, 'is a getter or a property', 'Make it a method, which can be called');
  }
}
