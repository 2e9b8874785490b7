"""The agencies' door over AMQP: the same notices, signatures, receipts and problems as over HTTP."""
