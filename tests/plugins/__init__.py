"""What every test run needs before the first test: servers, and on demand a whole running exchange."""
