-- How the deliveries of one notice moved, whatever else its sender has sent since.
CREATE INDEX delivery_change_delivery ON delivery_change (delivery);
