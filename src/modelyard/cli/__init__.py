"""The command line: one file per verb in ``commands``, listed in ``verbs``, started by ``main``.

A verb parses, calls one method of ``ModelRegistry`` and shows the answer as text or as one JSON document. Rules live
below; nothing here decides anything about models.
"""
