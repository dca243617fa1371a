"""The images of a cloud: looked at, and sent from a file.

The body of an upload is bounded before anything of it is read, and goes to the disk, never into memory as a whole; from there
it is streamed to the cloud.
"""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, JsonResponse
from django.utils.translation import gettext, ngettext
from django.views.decorators.csrf import csrf_exempt, csrf_protect

from hypervisors import clouds
from hypervisors.admin.cloud.base import drawn, told
from hypervisors.admin.cloud.forms import GIB, ImageForm
from hypervisors.models import Hypervisor
from olimpus.errors import OlimpusError


@csrf_exempt  # reading the token would read the whole body: `_received` asks for it once the size is known
def page(request: HttpRequest, hypervisor: Hypervisor) -> HttpResponse:
    """All images. POST uploads one; our script is answered in JSON: `{"ok", "url"}` or `{"ok", "html"}`."""
    if request.method != "POST":
        return _page(request, hypervisor, _form(hypervisor))
    if _too_large(request):
        limit = f"{settings.OLIMPUS_IMAGE_LIMIT / GIB:.3g} GiB"
        text = gettext("The file is larger than %(limit)s.") % {"limit": limit}
        return told(request, hypervisor, "images", text, messages.ERROR)
    return _received(request, hypervisor)


def tidy(request: HttpRequest, hypervisor: Hypervisor) -> HttpResponse:
    """POST removes copies that nobody needs where they are."""
    if request.method != "POST":
        return HttpResponseNotAllowed(["POST"])
    try:
        cleared = clouds.do(hypervisor, "image.tidy", {}, actor=request.user)  # type: ignore[arg-type]
    except OlimpusError as error:
        return told(request, hypervisor, "images", str(error), messages.ERROR)
    text = ngettext("%(n)d copy is removed.", "%(n)d copies are removed.", len(cleared)) % {"n": len(cleared)}
    return told(request, hypervisor, "images", text)


@csrf_protect
def _received(request: HttpRequest, hypervisor: Hypervisor) -> HttpResponse:
    form = _form(hypervisor, request.POST, request.FILES)
    if not form.is_valid() or not _uploaded(request, hypervisor, form):
        return _page(request, hypervisor, form)
    text = gettext("The image “%(name)s” is there.") % {"name": form.cleaned_data["name"]}
    answer = told(request, hypervisor, "images", text)
    return JsonResponse({"url": answer["Location"]}) if _by_script(request) else answer


def _uploaded(request: HttpRequest, hypervisor: Hypervisor, form: ImageForm) -> bool:
    """Whether it is on the cloud; the form says why not."""
    given = form.cleaned_data
    public = bool(given.get("public"))
    try:
        clouds.upload_image(hypervisor, given["name"], given["file"], actor=request.user, public=public)  # type: ignore[arg-type]
    except OlimpusError as error:
        form.refuse(error)
        return False
    return True


def _form(hypervisor: Hypervisor, *given: Any) -> ImageForm:
    offered = clouds.offers(hypervisor)
    return ImageForm(*given, projects="projects" in offered, converts="copies" not in offered)


def _too_large(request: HttpRequest) -> bool:
    """Also of a body that does not say how large it is."""
    given = str(request.META.get("CONTENT_LENGTH") or "")
    return not given.isdecimal() or int(given) > settings.OLIMPUS_IMAGE_LIMIT


def _by_script(request: HttpRequest) -> bool:
    return request.headers.get("X-Requested-With") == "fetch"


def _page(request: HttpRequest, hypervisor: Hypervisor, form: ImageForm) -> HttpResponse:
    copies = "copies" in clouds.offers(hypervisor)
    more: dict[str, Any] = {"form": form, "limit": settings.OLIMPUS_IMAGE_LIMIT, "copies": copies}
    return drawn(request, hypervisor, "images", "images", "images", **more)
