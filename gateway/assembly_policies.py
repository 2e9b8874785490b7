"""How is a policy written, tried out, put in force and held to what was decided? The part of the composition root for it."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.assembly_ground import Ground
from gateway.assembly_handover import Handover
from gateway.assembly_intake import validator
from gateway.model.routing import NO_CASE
from gateway.policy.route import route
from gateway.services.administer_policies import AdministerPolicies
from gateway.services.analyse_policies import AnalysePolicies
from gateway.services.preview import Preview
from gateway.services.replay import Replays
from gateway.services.replay_routing import ReplayRouting
from gateway.validation.catalogue import fields_in


@dataclass(frozen=True, slots=True)
class PolicyServices:
    administer: AdministerPolicies
    analyse: AnalysePolicies
    replays: Replays
    replay_routing: ReplayRouting
    preview: Preview


def join_policies(ground: Ground, handover: Handover) -> PolicyServices:
    """Join what looks after policies. Starts nothing."""
    documents, engines = ground.documents, ground.engines
    store, clock = engines.store, engines.clock
    teller, staff, directories, policies = ground.teller, ground.staff, ground.directories, ground.policies
    administer = AdministerPolicies(
        storage=store.policies,
        policies=policies,
        staff=staff,
        teller=teller,
        clock=clock,
        settle=lambda: ground.settle("policy-changed"),
    )
    replays = Replays(
        log=store.log,
        notices=store.notices,
        keeper=ground.keeper,
        policies=policies,
        staff=staff,
        teller=teller,
        clock=clock,
    )
    return PolicyServices(
        administer=administer,
        analyse=AnalysePolicies(
            administer=administer,
            policies=policies,
            replays=replays,
            fields=documents.catalogue.fields,
            staff=staff,
            clock=clock,
        ),
        replays=replays,
        replay_routing=ReplayRouting(
            log=store.log,
            notices=store.notices,
            keeper=ground.keeper,
            policies=policies,
            staff=staff,
            teller=teller,
            clock=clock,
        ),
        preview=Preview(
            tables=lambda policy: policy.document.routing or policies.routing(),
            adapter_for=ground.formats.reader,
            validate=validator(ground),
            routes=lambda valid, tables, now: {
                one.office: (one.purpose, one.legal_basis, one.rule, one.role)
                for one in route(valid, tables, directories.current.finder, NO_CASE, now).recipients
            },
            directories=directories,
            gather=handover.gather,
            projector=handover.projector,
            fields_in=lambda data, kind: fields_in(documents.catalogue, data, kind),
            notices=store.notices,
            keeper=ground.keeper,
            staff=staff,
            teller=teller,
            log=store.log,
            clock=clock,
            ids=engines.ids,
        ),
    )
