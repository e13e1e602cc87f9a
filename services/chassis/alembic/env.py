"""Alembic's environment, shared by all services; `chassis.migrate` says which one is meant."""

from alembic import context

from chassis.engines import make_engine

engine = make_engine(context.config.attributes["url"], patient=True)
with engine.connect() as connection:
    context.configure(connection=connection, transactional_ddl=True, render_as_batch=engine.name == "sqlite")
    with context.begin_transaction():
        context.run_migrations()
    connection.commit()
engine.dispose()
