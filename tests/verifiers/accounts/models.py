import os
import uuid

from django.contrib.auth.models import AbstractUser
from django.db import models


class Person(AbstractUser):
    """A user whose primary key is a UUID, as Mapae's are."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    email = models.EmailField(unique=True)

    USERNAME_FIELD = os.environ.get("SERVICE_USERNAME_FIELD", "username")
    REQUIRED_FIELDS = []
