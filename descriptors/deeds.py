"""What lines of the journal say was done, in words."""

from __future__ import annotations

from typing import Any, Final

from django.utils.translation import gettext_lazy as _

from descriptors.models import Status
from descriptors.verbs import VERBS

#: Verb of the journal → what people say. Verbs on machines (`vm.…`) are told by their own labels.
DEEDS: Final = {
    "folder.create": _("folder made"),
    "folder.move": _("moved"),
    "folder.copy": _("copied"),
    "folder.delete": _("deleted"),
    "descriptor.create": _("machine defined"),
    "descriptor.adopt": _("machine adopted"),
    "descriptor.move": _("moved"),
    "descriptor.copy": _("copied"),
    "descriptor.delete": _("deleted"),
    "definition.edit": _("definition changed"),
    "console.open": _("console opened"),
    "console.close": _("console closed"),
    "course.import": _("course imported"),
    "slice.create": _("slice made"),
    "slice.deploy": _("slice deployed"),
    "slice.resume": _("deployment of a slice continued"),
    "slice.undo": _("deployment of a slice undone"),
    "slice.teardown": _("slice torn down"),
    "grant.add": _("access given"),
    "grant.remove": _("access taken back"),
    "grant.inherit": _("inheritance of access changed"),
    "operation.cancel": _("operation cancelled"),
    "rehearsal.break": _("switched off on purpose, behind Olimpus"),
    "vm.drift": _("drift found"),
    "vm.drift.cleared": _("drift gone"),
    "vm.unheard": _("its host does not answer: what it does is unknown"),
    "vm.heard": _("its host answers again"),
    "hypervisor.create": _("hypervisor added"),
    "hypervisor.update": _("hypervisor's settings changed"),
    "hypervisor.delete": _("hypervisor forgotten"),
    "hypervisor.test": _("connection tested"),
    "hypervisor.maintenance_on": _("maintenance begun"),
    "hypervisor.maintenance_off": _("maintenance ended"),
    "hypervisor.ok": _("hypervisor answers again"),
    "hypervisor.unreachable": _("hypervisor does not answer"),
    "hypervisor.error": _("hypervisor refuses"),
    "tunnel.reconnect": _("tunnel connected anew"),
    "cloud.flavor.create": _("flavor made"),
    "cloud.flavor.delete": _("flavor removed"),
    "cloud.image.upload": _("image uploaded"),
    "cloud.image.delete": _("image removed"),
    "cloud.image.tidy": _("copies of images tidied"),
    "cloud.network.create": _("network made"),
    "cloud.network.delete": _("network removed"),
    "cloud.subnet.create": _("subnet made"),
    "cloud.subnet.delete": _("subnet removed"),
    "cloud.router.create": _("router made"),
    "cloud.router.delete": _("router removed"),
    "cloud.volume.create": _("volume made"),
    "cloud.volume.delete": _("volume removed"),
    "cloud.volume.attach": _("volume attached"),
    "cloud.volume.detach": _("volume detached"),
    "cloud.volume.extend": _("volume extended"),
    "cloud.volume.snapshot": _("snapshot of a volume made"),
    "cloud.volume_snapshot.delete": _("snapshot of a volume removed"),
    "cloud.project.create": _("project made"),
    "cloud.project.delete": _("project removed"),
    "cloud.quota.update": _("quotas written"),
    "user.sign_in": _("signed in"),
    "user.sign_out": _("signed out"),
    "user.locked_out": _("locked out after failed sign-ins"),
    "user.unlock": _("account unlocked"),
    "user.create": _("account made"),
    "user.update": _("account changed"),
    "user.delete": _("account erased"),
    "user.password": _("password set"),
    "user.invite": _("invitation mailed"),
    "user.activate": _("account opened"),
    "user.deactivate": _("account closed"),
    "user.import": _("users imported"),
    "group.create": _("group made"),
    "group.rename": _("group renamed"),
    "group.delete": _("group deleted"),
    "group.add": _("put into a group"),
    "group.remove": _("taken out of a group"),
    "token.create": _("token made"),
    "token.revoke": _("token revoked"),
}
ENDINGS: Final = {str(status): status.label for status in Status} | {"done": _("done"), "retry": _("to be tried again")}
#: Beginning of a verb → what all of them are about.
FAMILIES: Final = {
    "vm.*": _("Everything done to machines"),
    "slice.*": _("Slices"),
    "definition.*": _("Definitions"),
    "grant.*": _("Access"),
    "console.*": _("Consoles"),
    "hypervisor.*": _("Everything about hypervisors"),
    "cloud.*": _("Everything about clouds"),
    "user.*": _("Everything about accounts"),
    "group.*": _("Everything about groups"),
    "token.*": _("Tokens"),
}


def deed(verb: str) -> str:
    """What a line of the journal says was done; the code itself for a verb that nobody knows any more."""
    if verb in DEEDS:
        return str(DEEDS[verb])
    known, _dot, ending = verb.rpartition(".")
    if known in DEEDS and ending in ENDINGS:
        return f"{DEEDS[known]}: {ENDINGS[ending]}"
    family, _dot, rest = verb.partition(".")
    name, _dot, ending = rest.partition(".")
    if family != "vm" or name not in VERBS:
        return verb
    return f"{VERBS[name].label}: {ENDINGS.get(ending, ending)}" if ending else str(VERBS[name].label)


def choices() -> list[tuple[str, list[tuple[str, Any]]]]:
    """Verbs to filter by: (heading, [(code, words)])."""
    verbs = [(f"vm.{name}*", verb.label) for name, verb in VERBS.items()]
    return [
        (str(_("Together")), [*FAMILIES.items()]),
        (str(_("Verbs on machines")), verbs),
        (str(_("One by one")), [*DEEDS.items()]),
    ]
