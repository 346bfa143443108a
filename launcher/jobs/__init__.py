"""What runs inside a job: a supervisor and the processes that it starts."""
