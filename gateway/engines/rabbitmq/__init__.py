"""RabbitMQ as the distributor of work: bells between nodes, agencies' queues. Never the record of anything."""
