import type { ArgumentsHost, ExecutionContext, NestInterceptor } from '@nestjs/common';
import type { ExternalContextCreator } from '@nestjs/core';
import { WaitingError } from 'bullmq';
import { catchError, isObservable, throwError, type Observable } from 'rxjs';
import { Park } from './control-exceptions.js';
import { JobContext } from './job-context.js';

type Call = () => Promise<unknown>;
type Target = (...args: unknown[]) => Promise<unknown>;

interface ExceptionsHandler {
  next(error: unknown, host: ArgumentsHost): unknown;
}

/** What Nest's creator keeps to itself: the places where an exception can be seen before anybody can change it. */
interface Inside {
  readonly interceptorsConsumer?: {
    intercept(interceptors: readonly NestInterceptor[], args: unknown[], instance: object, callback: unknown, next: Call, type?: string): Promise<unknown>; // prettier-ignore
  };
  readonly externalErrorProxy?: {
    createProxy(target: Target, handler: ExceptionsHandler, type?: string): Target;
  };
}

/**
 * The same creator, with contexts that record control exceptions where they come from: those of pipes and of the method
 * under all interceptors, those of interceptors under the ones further out, those of guards under all filters.
 *
 * Nest has no public place so far inside. Wrapping the method would change what `getHandler()` gives; an interceptor of
 * ours would cost every job, and stand outside of those that the user puts on the method.
 *
 * @throws when this version of Nest is built otherwise.
 * @internal
 */
export function withControlRecord(creator: ExternalContextCreator): ExternalContextCreator {
  const { interceptorsConsumer, externalErrorProxy } = creator as unknown as Inside;
  if (typeof interceptorsConsumer?.intercept !== 'function' || typeof externalErrorProxy?.createProxy !== 'function') {
    throw new Error(
      'nestjs-jobs: the ExternalContextCreator of this version of @nestjs/core is built in a way that is not known here. ' +
        'Install one that the peerDependencies of nestjs-jobs allow.',
    );
  }
  const recording: Required<Inside> = {
    interceptorsConsumer: {
      intercept: (interceptors, args, instance, callback, next, type) => {
        // Without interceptors the exception goes straight to the filters.
        if (interceptors.length === 0) return next();
        const call = recordingCall(contextIn(args), next);
        // What the outermost throws goes straight to the filters as well.
        const watched = interceptors.length > 1 ? interceptors.map(recordingInterceptor) : interceptors;
        return interceptorsConsumer.intercept(watched, args, instance, callback, call, type);
      },
    },
    externalErrorProxy: {
      createProxy: (target, handler, type) => externalErrorProxy.createProxy(target, recordingHandler(handler), type),
    },
  };
  return Object.assign(Object.create(creator) as ExternalContextCreator, recording);
}

function recordingCall(context: JobContext, next: Call): Call {
  return () => {
    // An interceptor that tries again must not start anew what has been decided.
    if (context.control) return Promise.reject(context.control);
    return recording(context, next);
  };
}

function recordingInterceptor(interceptor: NestInterceptor): NestInterceptor {
  return {
    intercept: (context: ExecutionContext, next) =>
      recording(contextIn(context.getArgs()), async () => interceptor.intercept(context, next)) as Promise<
        Observable<unknown>
      >,
  };
}

function recording(context: JobContext, call: Call): Promise<unknown> {
  return call().then(
    (result) => (isObservable(result) ? result.pipe(catchError((error) => throwError(() => record(error)))) : result),
    (error: unknown) => {
      throw record(error);
    },
  );

  function record(error: unknown): unknown {
    context.record(error);
    return error;
  }
}

function recordingHandler(handler: ExceptionsHandler): ExceptionsHandler {
  return {
    next(error, host) {
      contextIn(host.getArgs()).record(error);
      // A job that steps aside, or is given back, has not failed, and comes again: that is no filter's affair.
      if (error instanceof Park || error instanceof WaitingError) throw error;
      return handler.next(error, host);
    },
  };
}

/** A task's handler is called with the payload and the context. */
function contextIn(args: unknown[]): JobContext {
  return args[1] as JobContext;
}
