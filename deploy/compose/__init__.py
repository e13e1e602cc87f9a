"""The system in containers: docker-compose.yml, what it needs beside it, and what starts it."""
