import { ConfigurableModuleBuilder } from '@nestjs/common';
import type { JobsModuleOptions } from './options/jobs-options.js';

export const { ConfigurableModuleClass, MODULE_OPTIONS_TOKEN, OPTIONS_TYPE, ASYNC_OPTIONS_TYPE } =
  new ConfigurableModuleBuilder<JobsModuleOptions>({ moduleName: 'Jobs' })
    .setClassMethodName('forRoot')
    .setFactoryMethodName('createJobsOptions')
    .setExtras({ global: true }, (definition, { global }) => ({ ...definition, global }))
    .build();
