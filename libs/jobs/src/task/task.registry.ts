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
        throw new DuplicateTaskError(definition.name, first.place, definition.place, isSameMethod(first, definition));
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

function isSameMethod(one: TaskDefinition, other: TaskDefinition): boolean {
  return one.method === other.method && one.prototype === other.prototype;
}
