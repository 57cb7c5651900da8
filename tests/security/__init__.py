"""What a stranger's file may not do, and what a race keeps to itself."""
