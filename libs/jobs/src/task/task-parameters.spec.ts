import { Body, createParamDecorator, Headers, Query, type Type } from '@nestjs/common';
import { Payload } from './payload.decorator.js';
import { assertParameters } from './task-parameters.js';
import { Task } from './task.decorator.js';
import { InvalidTaskError } from './task.errors.js';

const Anything = createParamDecorator(() => 'anything');

class WithBody {
  @Task()
  run(@Body() _body: string): void {}
}

class WithHeaders {
  @Task()
  run(_payload: string, @Headers() _headers: object): void {}
}

class WithQuery {
  @Task()
  run(_payload: string, _job: object, @Query() _query: object): void {}
}

class SecondPayload {
  @Task()
  run(_payload: string, @Payload() _second: string): void {}
}

class DecoratedPayload {
  @Task()
  run(@Anything() _payload: string): void {}
}

class DecoratedContext {
  @Task()
  run(_payload: string, @Anything() _job: string): void {}
}

class ThirdParameter {
  @Task()
  run(_payload: string, _job: object, _third: string): void {}
}

class ThirdOfThree {
  @Task()
  run(_payload: string, _job: object, _third: string, @Anything() _fourth: string): void {}
}

class Filled {
  @Task()
  run(@Payload() _payload: string, _job: object, @Anything() _third: string, _fourth = 1): void {}
}

describe('the parameters of a task', () => {
  const invalid: [string, Type, RegExp][] = [
    ['with @Body()', WithBody, /a\.run has a decorator of Nest's .* like @Body\(\) or @Headers\(\), on parameter 1/],
    ['with @Headers()', WithHeaders, /like @Body\(\) or @Headers\(\), on parameter 2/],
    ['with @Query()', WithQuery, /like @Body\(\) or @Headers\(\), on parameter 3/],
    ['with @Payload() on the second', SecondPayload, /has @Payload\(\) on parameter 2\. .*move @Payload/],
    ['with a decorated payload', DecoratedPayload, /decorator on parameter 1, which is always the payload/],
    ['with a decorated context', DecoratedContext, /on parameter 2, which is always the JobContext/],
    ['with a third parameter', ThirdParameter, /takes parameter 3 that nothing fills/],
    ['with a third of four', ThirdOfThree, /takes parameter 3 that nothing fills/],
  ];

  it.each(invalid)('are refused %s', (_what, { prototype }, message) => {
    const check = () => assertParameters(prototype as object, 'run', 'a.run');
    expect(check).toThrow(InvalidTaskError);
    expect(check).toThrow(message);
  });

  it('may be the payload, the context and what decorators and defaults fill', () => {
    expect(() => assertParameters(Filled.prototype, 'run', 'a.run')).not.toThrow();
  });
});
