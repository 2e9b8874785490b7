"""Pure: does a notice hold by its schema and by the rules for its sender?"""
