import { Injectable } from '@nestjs/common';
import type { TaskDefinition } from './task-definition.js';
import { DuplicateTaskError } from './task.errors.js';

/** The tasks that this process has the code of. Filled once at boot; everything else reads it. @internal */
@Injectable()
export class TaskRegistry {
  private byName: ReadonlyMap<string, TaskDefinition> = new Map();

  fill(definitions: readonly TaskDefinition[]): void {
    const byName = new Map<string, TaskDefinition>();
    for (const definition of definitions) {
      const first = byName.get(definition.name);
      if (first)
        throw new DuplicateTaskError(definition.name, first.place, definition.place, fixFor(first, definition));
      byName.set(definition.name, definition);
    }
    this.byName = byName;
  }

  find(name: string): TaskDefinition | undefined {
    return this.byName.get(name);
  }

  all(): TaskDefinition[] {
    return [...this.byName.values()];
  }
}

function fixFor(one: TaskDefinition, other: TaskDefinition): string {
  if (one.prototype === other.prototype && one.method === other.method) {
    return 'The class is provided twice: provide it in one module and export it from there';
  }
  const isContract = one.hasContract || other.hasContract;
  if (methodOf(one) === methodOf(other)) {
    return isContract
      ? 'Both classes have the method by inheritance: provide only one of them, for a contract is one task'
      : 'Both classes have the method by inheritance: leave out its name, so that each has a task called after itself, ' +
          'or override the method with a @Task of its own';
  }
  return isContract
    ? 'A contract is one task: put @Task(contract) on one method only'
    : "Give one of them another name: @Task({ name: '...' })";
}

function methodOf({ prototype, method }: TaskDefinition): unknown {
  return (prototype as Record<string, unknown>)[method];
}
