# The ordinary tests.

ordinary test

# The test command of the README.
stage_test() { cargo test --locked; }
