"""What the teacher sees: a server that composes nothing, a live feed, and pages without a build step."""
