import { Module } from '@nestjs/common';
import { PaymentsController } from './payments.controller.js';
import { PaymentsTaskModule } from './payments-task.module.js';

@Module({ imports: [PaymentsTaskModule], controllers: [PaymentsController] })
export class PaymentsApiModule {}
