"""A Django with SimpleJWT, as its documentation sets it up: the four paths, and two views behind.

SERVICE is a JSON object: `secret_key`, `simple_jwt` (the setting SIMPLE_JWT), `people`, and
`package`, which is `older` for djangorestframework-jwt instead.
"""

import datetime
import json
import os
import sys
from wsgiref.simple_server import WSGIRequestHandler, make_server

config = json.loads(os.environ["SERVICE"])
older = config.get("package") == "older"

if older:
    import django.utils.encoding
    import django.utils.translation

    # The package was written for these names, which Django 4 renamed. They did the same.
    django.utils.encoding.smart_text = django.utils.encoding.smart_str
    django.utils.translation.ugettext = django.utils.translation.gettext

import django
from django.conf import settings


class WithoutMigrations:
    """Tables are made from the models at once, which takes a tenth of the time."""

    def __contains__(self, app):
        return True

    def __getitem__(self, app):
        return None


def set_ahead(get_response):
    """Answers as if it were later by as many seconds as the header says."""

    def answer(request):
        ahead = request.headers.get("X-Clock-Ahead")
        if ahead is None:
            return get_response(request)
        from freezegun import freeze_time

        later = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(
            seconds=int(ahead)
        )
        with freeze_time(later, tick=True):
            return get_response(request)

    return answer


settings.configure(
    ALLOWED_HOSTS=["127.0.0.1"],
    AUTH_USER_MODEL="accounts.Person",
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    INSTALLED_APPS=[
        "django.contrib.auth",
        "django.contrib.contenttypes",
        "rest_framework",
        "accounts",
        *(
            []
            if older
            else ["rest_framework_simplejwt", "rest_framework_simplejwt.token_blacklist"]
        ),
    ],
    JWT_AUTH={"JWT_ALLOW_REFRESH": True},
    MIDDLEWARE=["service.set_ahead", "django.middleware.common.CommonMiddleware"],
    MIGRATION_MODULES=WithoutMigrations(),
    REST_FRAMEWORK={},
    ROOT_URLCONF="service",
    SECRET_KEY=config["secret_key"],
    SIMPLE_JWT=config.get("simple_jwt", {}),
    USE_TZ=True,
)
# What Django imports by the name `service` is this very module.
sys.modules["service"] = sys.modules["__main__"]
django.setup()

from django.core.management import call_command
from django.core.wsgi import get_wsgi_application
from django.urls import path

if older:
    from rest_framework_jwt.views import obtain_jwt_token, refresh_jwt_token, verify_jwt_token

    urlpatterns = [
        path("api-token-auth/", obtain_jwt_token),
        path("api-token-refresh/", refresh_jwt_token),
        path("api-token-verify/", verify_jwt_token),
    ]
else:
    from rest_framework.permissions import IsAuthenticated
    from rest_framework.response import Response
    from rest_framework.views import APIView
    from rest_framework_simplejwt import authentication, views

    class Stateless(APIView):
        """For whoever shows a good token; no database is asked."""

        authentication_classes = [authentication.JWTStatelessUserAuthentication]
        permission_classes = [IsAuthenticated]

        def get(self, request):
            return Response({"user": str(request.user.id)})

    class Known(Stateless):
        """For whoever shows a good token and is in the database."""

        authentication_classes = [authentication.JWTAuthentication]

    urlpatterns = [
        path("api/token/", views.TokenObtainPairView.as_view()),
        path("api/token/refresh/", views.TokenRefreshView.as_view()),
        path("api/token/verify/", views.TokenVerifyView.as_view()),
        path("api/token/blacklist/", views.TokenBlacklistView.as_view()),
        path("stateless/", Stateless.as_view()),
        path("known/", Known.as_view()),
    ]


class Quiet(WSGIRequestHandler):
    def log_message(self, *_):
        pass


def main():
    from accounts.models import Person

    call_command("migrate", run_syncdb=True, verbosity=0)
    for person in config["people"]:
        Person.objects.create_user(**person)
    server = make_server("127.0.0.1", 0, get_wsgi_application(), handler_class=Quiet)
    print(f"listening on http://127.0.0.1:{server.server_port}", file=sys.stderr, flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
