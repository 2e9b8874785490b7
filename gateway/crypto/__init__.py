"""Pure: suites of algorithms behind one provider; detached signatures; envelopes."""
