"""Celery's settings for each broker: RabbitMQ, Redis, or folders on this machine's disk."""

from pathlib import Path
from typing import Any

from kombu import Exchange, Queue

from workflows_app.running import folder_broker, redis_broker

QUEUES = ("default", "long")
# Seconds that a publisher may be held by a broker that does not answer.
PATIENCE = 2

folder_broker.register()
redis_broker.register()


def celery_settings(url: str, state_dir: Path) -> dict[str, Any]:
    """Every ``CELERY_*`` setting for the broker at ``url``.

    Args:
        url: Celery's broker address; its scheme chooses the transport.
        state_dir: folder that holds the message folders of the broker without a server.
    """
    scheme = url.partition(":")[0]
    # A quorum queue survives the loss of a node; PostgreSQL, not the queue, is what nothing may be lost from.
    arguments = {"x-queue-type": "quorum"} if scheme.startswith("amqp") else None
    queues = [
        Queue(name, Exchange(name, type="direct"), routing_key=name, queue_arguments=arguments) for name in QUEUES
    ]
    return {
        "CELERY_TASK_QUEUES": queues,
        "CELERY_TASK_DEFAULT_QUEUE": "default",
        "CELERY_TASK_SERIALIZER": "json",
        "CELERY_RESULT_SERIALIZER": "json",
        "CELERY_EVENT_SERIALIZER": "json",
        "CELERY_ACCEPT_CONTENT": ["json"],
        "CELERY_TASK_IGNORE_RESULT": True,
        "CELERY_RESULT_BACKEND": "orchestrator.durable_chords:DurableChords",
        "CELERY_TASK_STORE_EAGER_RESULT": False,
        "CELERY_WORKER_PREFETCH_MULTIPLIER": 4,
        "CELERY_WORKER_HIJACK_ROOT_LOGGER": False,
        # How long Celery holds a place for the late result of a killed process; here results are in the database.
        "CELERY_WORKER_LOST_WAIT": 1.0,
        "CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS": False,
        "CELERY_ENABLE_UTC": True,
        "CELERY_TIMEZONE": "UTC",
        "CELERY_BROKER_CONNECTION_RETRY": True,
        "CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP": True,
        "CELERY_BROKER_CONNECTION_MAX_RETRIES": None,
        "CELERY_BROKER_CONNECTION_TIMEOUT": PATIENCE,
        "CELERY_BROKER_TRANSPORT_OPTIONS": transport_options(scheme, state_dir),
        "CELERY_TASK_PUBLISH_RETRY": False,
        "CELERY_BEAT_SCHEDULER": "django_celery_beat.schedulers:DatabaseScheduler",
        "CELERY_BEAT_MAX_LOOP_INTERVAL": 30,
    }


def transport_options(scheme: str, state_dir: Path) -> dict[str, Any]:
    """Options of kombu's transport for ``scheme``; times in seconds."""
    if scheme.startswith("filesystem"):
        broker = state_dir / "broker"
        messages = str(broker / "messages")
        return {
            "data_folder_in": messages,
            "data_folder_out": messages,
            "control_folder": str(broker / "control"),
            "polling_interval": 0.025,
        }
    if scheme.startswith("redis"):
        return {
            "socket_connect_timeout": PATIENCE,
            "socket_timeout": PATIENCE,
            "retry_on_timeout": False,
            # kombu would note in Redis, for a third of what a message costs, which ones a worker holds. The dispatch
            # rows know: the sweep sends again what died with a worker.
            "ack_emulation": False,
        }
    return {"write_timeout": PATIENCE}
