import { Body, Controller, createParamDecorator, Injectable, Module, type Provider, type Type } from '@nestjs/common';
import { DiscoveryModule } from '@nestjs/core';
import { Test } from '@nestjs/testing';
import { RESOLVED_OPTIONS } from '../options/options.tokens.js';
import { resolveOptions } from '../options/resolve-options.js';
import { Payload } from './payload.decorator.js';
import { taskContract } from './task-contract.js';
import { TaskDefaults } from './task-defaults.decorator.js';
import { Task } from './task.decorator.js';
import { DuplicateTaskError, InvalidTaskError } from './task.errors.js';
import { TaskExplorer } from './task.explorer.js';
import { TaskRegistry } from './task.registry.js';
import { TaskSettings } from './task.settings.js';
import type { TaskOptions } from './task-options.js';

@Injectable()
class Mails {
  @Task({ name: 'mails.send' })
  send(): void {}

  @Task()
  sweep(): void {}
}

@Injectable()
class Newsletters extends Mails {}

abstract class Base {
  @Task({ name: 'base.run' })
  run(): void {}
}

@Injectable()
class One extends Base {}

@Injectable()
class Two extends Base {}

abstract class Unnamed {
  @Task()
  run(): void {}
}

@Injectable()
class Three extends Unnamed {}

@Injectable()
class Four extends Unnamed {
  override run(): void {}
}

@Injectable()
class Five extends Unnamed {}

@Injectable()
class AlsoSends {
  @Task({ name: 'mails.send' })
  post(): void {}
}

const contract = taskContract('billing.charge');

@Injectable()
class Billing {
  @Task(contract)
  charge(): void {}
}

@Injectable()
class OtherBilling {
  @Task(contract)
  pay(): void {}
}

@Injectable()
class SubBilling extends Billing {}

@Controller()
class WebTasks {
  @Task()
  run(): void {}
}

@Controller()
class InheritsTask extends Base {}

const Anything = createParamDecorator(() => 'anything');

class WithBody {
  @Task()
  run(@Body() _body: string): void {}
}

class Filled {
  @Task()
  run(@Payload() _payload: string, _job: object, @Anything() _third: string, _fourth = 1): void {}
}

class NoSuchQueue {
  @Task({ queue: 'nowhere' })
  run(): void {}
}

@TaskDefaults({ queue: 'nowhere' })
class NoSuchQueueByDefault {
  @Task()
  run(): void {}
}

class NoSuchOption {
  @Task({ prio: 1 } as TaskOptions)
  run(): void {}
}

class BadName {
  @Task({ name: 'two words' })
  run(): void {}
}

/** As a mixin makes it. */
function nameless(): Type {
  return class {
    run(): void {}
  };
}
const Nameless = nameless();
Task()(Nameless.prototype as object, 'run', Object.getOwnPropertyDescriptor(Nameless.prototype, 'run')!);

interface Parts {
  providers?: Provider[];
  controllers?: Type[];
  imports?: Type[];
}

/** The names of the tasks that the registry holds, of what Nest itself makes of the parts. */
async function explore({ providers = [], controllers = [], imports = [] }: Parts): Promise<string[]> {
  const options = { provide: RESOLVED_OPTIONS, useValue: resolveOptions({ connection: 'redis://localhost' }, {}) };
  const module = await Test.createTestingModule({
    imports: [DiscoveryModule, ...imports],
    controllers,
    providers: [TaskSettings, TaskExplorer, TaskRegistry, options, ...providers],
  }).compile();
  const registry = module.get(TaskRegistry);
  registry.fill(module.get(TaskExplorer).explore());
  return registry.all().map(({ name }) => name);
}

class UnstorableName {
  @Task({ name: 'a\u0000b' })
  run(): void {}
}

class OddMethod {
  @Task()
  'a b:c'(): void {}
}

@Module({ providers: [Mails] })
class FirstModule {}
@Module({ providers: [Mails] })
class SecondModule {}

describe('the tasks of an app', () => {
  it('are found wherever Nest makes an instance of a class', async () => {
    const providers: Provider[] = [
      Mails,
      { provide: 'alias', useExisting: Mails },
      { provide: 'by class', useClass: Billing },
      { provide: 'by factory', useFactory: () => new One() },
      { provide: 'by value', useValue: new Filled() },
      { provide: 'no prototype', useValue: Object.create(null) },
      { provide: 'nothing', useValue: undefined },
    ];
    const found = await explore({ providers });
    expect(found.toSorted()).toEqual(['Filled.run', 'Mails.sweep', 'base.run', 'billing.charge', 'mails.send']);
  });

  it('are one for each subclass, when the name follows from the class; an override is none without @Task', async () => {
    expect(await explore({ providers: [Three, Four, Five] })).toEqual(['Three.run', 'Five.run']);
  });

  const duplicates: [string, Parts, RegExp][] = [
    [
      'one name on two methods',
      { providers: [Mails, AlsoSends] },
      /"mails\.send" is used twice, by Mails\.send in RootTestModule and by AlsoSends\.post in RootTestModule\. Give one of/,
    ],
    [
      'a class in two modules',
      { imports: [FirstModule, SecondModule] },
      /by Mails\.send in FirstModule and by Mails\.send in SecondModule\. The class is provided twice: provide it in one/,
    ],
    [
      'a class under two tokens',
      { providers: [Mails, { provide: 'x', useClass: Mails }] },
      /The class is provided twice/,
    ],
    [
      'a subclass that inherits a named task',
      { providers: [Mails, Newsletters] },
      /by Mails\.send in .* and by Newsletters\.send in .*\. Both classes have the method by inheritance: leave out its/,
    ],
    ['two subclasses of one class', { providers: [One, Two] }, /by One\.run in .* and by Two\.run in .*by inheritance/],
    [
      'two methods of one contract',
      { providers: [Billing, OtherBilling] },
      /"billing\.charge" is used twice, by Billing\.charge .* OtherBilling\.pay .*put @Task\(contract\) on one method only/,
    ],
    [
      'a contract that is inherited',
      { providers: [Billing, SubBilling] },
      /provide only one of them, for a contract is one/,
    ],
  ];

  it.each(duplicates)('are refused: %s', async (_what, parts, message) => {
    const boot = explore(parts);
    await expect(boot).rejects.toThrow(DuplicateTaskError);
    await expect(boot).rejects.toThrow(message);
  });

  const invalid: [string, Parts, RegExp][] = [
    [
      'on a controller',
      { controllers: [WebTasks] },
      /WebTasks\.run is a task on a controller\. Move the method to a prov/,
    ],
    ['inherited by a controller', { controllers: [InheritsTask] }, /InheritsTask\.run is a task on a controller/],
    ['with @Body()', { providers: [WithBody] }, /WithBody\.run in .* like @Body\(\) or @Headers\(\), on parameter 1/],
    ['of a class without a name', { providers: [Nameless] }, /is a task without a name on a class without one/],
  ];

  it.each(invalid)('are refused %s', async (_what, parts, message) => {
    const boot = explore(parts);
    await expect(boot).rejects.toThrow(InvalidTaskError);
    await expect(boot).rejects.toThrow(message);
  });

  const options: [string, Provider, RegExp][] = [
    ['a queue that is not declared', NoSuchQueue, /@Task of NoSuchQueue\.run in .*queue.*"nowhere"/],
    ['such a queue as default of the class', NoSuchQueueByDefault, /@Task of NoSuchQueueByDefault\.run in .*"nowhere"/],
    ['an option that does not exist', NoSuchOption, /no option "@Task of NoSuchOption\.run in .*\.prio"/],
    [
      'a name with a space',
      BadName,
      /BadName\.run in .*\.name" must be a name of at most 200 characters without spaces/,
    ],
    ['a name that not every store can hold', UnstorableName, /UnstorableName\.run in .*\.name" must be a name/],
    [
      'such a name by its method',
      OddMethod,
      /OddMethod\.a b:c in .* has by its class and method no name.*Name it, @Task/,
    ],
  ];

  it.each(options)('are refused with %s', async (_what, provider, message) => {
    const boot = explore({ providers: [provider] });
    await expect(boot).rejects.toThrow(/^nestjs-jobs: /);
    await expect(boot).rejects.toThrow(message);
  });
});
