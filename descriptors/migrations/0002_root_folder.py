"""The tree begins with its root. Historical models know nothing of MPTT: the numbers are written plainly."""

from django.db import migrations


def plant_root(apps, schema_editor):
    Node = apps.get_model("descriptors", "Node")
    Folder = apps.get_model("descriptors", "Folder")
    using = schema_editor.connection.alias
    if not Node.objects.using(using).filter(path="/").exists():
        Folder.objects.using(using).create(kind="folder", name="", path="/", level=0, lft=1, rght=2, tree_id=1)


class Migration(migrations.Migration):
    dependencies = [("descriptors", "0001_initial")]
    operations = [migrations.RunPython(plant_root, migrations.RunPython.noop)]
