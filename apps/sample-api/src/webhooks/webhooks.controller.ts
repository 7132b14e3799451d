import { BadRequestException, Body, Controller, Post, UseFilters } from '@nestjs/common';
import {
  ApiAcceptedResponse,
  ApiBadRequestResponse,
  ApiOperation,
  ApiServiceUnavailableResponse,
  ApiTags,
} from '@nestjs/swagger';
import { JobsService, PayloadNotSerializableError, task } from 'nestjs-jobs';
import { accepted, type AcceptedJob, acceptedJobSchema, BackendUnavailableFilter } from 'nestjs-jobs/http';
import { validated } from '../http/validated.js';
import type { DeliverWebhook } from './webhook.payload.js';
import { WebhookRefusedError } from './webhook-refused.error.js';
import { webhookRequestSchema } from './webhook-request.js';
import { WebhookTargets } from './webhook-targets.js';
import { createWebhookOperation } from './webhooks.openapi.js';
import { Webhooks } from './webhooks.task.js';

@ApiTags('webhooks')
@Controller('webhooks')
@UseFilters(BackendUnavailableFilter)
export class WebhooksController {
  constructor(
    private readonly jobs: JobsService,
    private readonly targets: WebhookTargets,
  ) {}

  @Post()
  @ApiOperation(createWebhookOperation)
  @ApiBadRequestResponse({ description: 'A field is missing or wrong, or the URL is one that is never delivered to.' })
  @ApiServiceUnavailableResponse({ description: 'The job could not be stored right now. Try again.' })
  @ApiAcceptedResponse({ description: 'It will be delivered; poll it at pollUrl.', schema: acceptedJobSchema })
  async create(@Body() body: unknown): Promise<AcceptedJob> {
    const { url, event, data } = validated(webhookRequestSchema, body);
    return accepted(await this.enqueue({ url, event, data }));
  }

  private async enqueue(webhook: DeliverWebhook) {
    try {
      this.targets.check(webhook.url);
      return await this.jobs.enqueue(task(Webhooks, 'deliver'), webhook);
    } catch (error) {
      if (error instanceof WebhookRefusedError) throw new BadRequestException([`url ${error.message}`]);
      // Text that not every store can keep, such as U+0000, is JSON all the same.
      if (error instanceof PayloadNotSerializableError) throw new BadRequestException([error.message]);
      throw error;
    }
  }
}
