import { ConfigurableModuleBuilder } from '@nestjs/common';
import type { JobsHealthOptions } from './jobs-health.options.js';

/** `HEALTH_OPTIONS` is not there when the module is imported as it is. */
export const {
  ConfigurableModuleClass,
  MODULE_OPTIONS_TOKEN: HEALTH_OPTIONS,
  OPTIONS_TYPE,
  ASYNC_OPTIONS_TYPE,
} = new ConfigurableModuleBuilder<JobsHealthOptions>({ moduleName: 'JobsHealth' })
  .setClassMethodName('forRoot')
  .setFactoryMethodName('createJobsHealthOptions')
  .build();
