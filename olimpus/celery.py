"""The Celery application: a threads pool, because the work is waiting on hypervisors.

The embedded default is a queue of files in the data folder (`olimpus.filequeue`): no server is needed. `BROKER_URL` names
Redis or RabbitMQ instead. Every worker carries its own clock: periodic tasks may run twice at once, and each is written for
that.
"""

from __future__ import annotations

from pathlib import Path

from celery import Celery, bootsteps
from celery.beat import EmbeddedService, Scheduler
from django.conf import settings

from olimpus import filequeue

app = Celery("olimpus")


def configure() -> None:
    """Take broker and limits from Django's settings."""
    app.conf.update(
        broker_url=settings.CELERY_BROKER_URL,
        broker_connection_retry_on_startup=True,
        task_ignore_result=True,
        task_default_queue="olimpus",
        task_serializer="json",
        accept_content=["json"],
        worker_prefetch_multiplier=1,
        worker_hijack_root_logger=False,
        worker_enable_remote_control=False,
        worker_send_task_events=False,
        beat_schedule=settings.OLIMPUS_PERIODIC_TASKS,
        beat_max_loop_interval=1,
        timezone="UTC",
    )
    if settings.CELERY_BROKER_URL.startswith(filequeue.SCHEME):
        queue_folder().mkdir(parents=True, exist_ok=True)
        app.conf.broker_url = f"{filequeue.SCHEME}://localhost"
        app.conf.broker_transport_options = {"data_folder_in": str(queue_folder()), "polling_interval": 0.05}


def queue_folder() -> Path:
    """Where the messages of the embedded queue are."""
    return Path(settings.OLIMPUS_HOME) / "queue"


class Clock(bootsteps.StartStopStep):
    """Celery beat as a thread of the worker: it dies with the worker, whatever kills it."""

    requires = {"celery.worker.components:Pool"}

    def __init__(self, worker: object, **options: object) -> None:
        self.service: EmbeddedService | None = None

    def start(self, worker: object) -> None:
        self.service = EmbeddedService(app, thread=True, scheduler_cls=Scheduler)
        self.service.daemon = True
        self.service.start()

    def stop(self, worker: object) -> None:
        if self.service:
            self.service.stop()


app.steps["worker"].add(Clock)
configure()
app.autodiscover_tasks(["descriptors"])
