"""What does each part reach against the limits of this machine, measured in the same run?"""
