# The ordinary tests.

ordinary test

# The README's test command.
stage_test() { cargo test --locked; }
