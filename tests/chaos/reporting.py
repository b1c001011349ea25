"""The report of a chaos run: one document, and the same in words."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from tests.chaos.canaries import Search, roster, search_run
from tests.chaos.planting import planted
from tests.chaos.running import Options, Outcome

_FAULTS_TOLD: Final = 12


def spread(numbers: Sequence[float]) -> dict[str, float]:
    """Least, median and most; empty for nothing."""
    ordered = sorted(numbers)
    if not ordered:
        return {}
    return {"n": len(ordered), "least": ordered[0], "median": ordered[len(ordered) // 2], "most": ordered[-1]}


def document(options: Options, outcomes: Sequence[Outcome], base: Path) -> dict[str, Any]:
    """Everything as one document with stable keys."""
    proofs = [o for o in outcomes if not o.name.startswith("without")]
    removals = [o for o in outcomes if o.name.startswith("without")]
    canaries = [_canaries(base / o.name) for o in proofs if (base / o.name / "demo" / "roster.csv").exists()]
    kept = all(o.kept for o in proofs)
    found = all(any(o.lost.values()) for o in removals)
    return {
        "schema": "inkgate.chaos/1",
        "seed": options.seed,
        "pens": options.pens,
        "kept": kept and found and all(map(_silent, canaries)),
        "scenarios": [_one(o) for o in proofs],
        "protections_taken_away": [_one(o) for o in removals],
        "canaries": canaries,
    }


def _one(outcome: Outcome) -> dict[str, Any]:
    told = asdict(outcome)
    told["kept"] = outcome.kept
    told["back_s"] = spread(outcome.back_s)
    told["recovery_s"] = {name: spread(times) for name, times in outcome.recovery_s.items()}
    told["in_flight"] = spread(outcome.in_flight)
    told["dots_in_flight"] = outcome.counts.get("dots_in_losses", 0)
    told["faults"] = outcome.faults[:50]
    told["faults_n"] = len(outcome.faults)
    return told


def _canaries(run: Path) -> dict[str, Any]:
    names = roster(run / "demo" / "roster.csv")
    hits, searched = search_run(run, Search(names))
    return {
        "run": run.name,
        "canaries": len(names),
        "searched_bytes": searched,
        "hits": [f"{hit.where} at {hit.at}: {hit.form}" for hit in hits[:50]],
        "planted": planted(run, names[0]),
    }


def _silent(searched: dict[str, Any]) -> bool:
    """Whether no canary sang, and the search would have heard one."""
    return not searched["hits"] and all(searched["planted"].values())


def words(said: dict[str, Any]) -> str:
    """The document for people."""
    lines = [f"Seed {said['seed']}, {said['pens']} pens."]
    for one in said["scenarios"]:
        lines += _scenario(one)
    for one in said["protections_taken_away"]:
        lost = {name: count for name, count in one["lost"].items() if count}
        lines.append(f"{one['name']} ({one['pens']} pens, seed {one['seed']}): " + (_named(lost) or "LOST NOTHING"))
        lines += [f"  - {why}" for why in one["skipped"]]
        lines += [f"  ! {fault}" for fault in one["faults"] if fault.startswith("the scenario")]
    for one in said["canaries"]:
        megabytes = sum(one["searched_bytes"].values()) / 1e6
        heard = f"{sum(one['planted'].values())} of {len(one['planted'])} that were planted"
        lines.append(
            f"Canaries, {one['run']}: {one['canaries']} in {megabytes:.0f} MB, {len(one['hits'])} found astray;"
            f" {heard} were found."
        )
        lines += [f"  ! {hit}" for hit in one["hits"][:_FAULTS_TOLD]]
    lines.append(_verdict(said))
    return "\n".join(lines)


def _verdict(said: dict[str, Any]) -> str:
    if not said["kept"]:
        return "THE PROMISE WAS NOT KEPT, OR A PROTECTION WAS NOT MISSED."
    if not said["scenarios"]:
        return "Every protection that was taken away was missed."
    return "Nothing is lost, nothing is doubled."


def _scenario(one: dict[str, Any]) -> list[str]:
    counts = one["counts"]
    lines = [f"{one['name']}: {'kept' if one['kept'] else 'NOT KEPT'}, {one['seconds']:.0f} s"]
    lines.append(f"  deaths: {_named(one['kills']) or 'none'}")
    if one["back_s"]:
        lines.append(f"  back with {one['pens']} links: {_spread(one['back_s'])} s")
        lines.append(f"  dots in flight, a death of the gateway: {_spread(one['in_flight'])}")
    lines += [f"  {name} at work again: {_spread(times)} s" for name, times in one["recovery_s"].items()]
    if counts:
        lines.append(
            f"  dots: {counts.get('dots_written', 0)} written, {counts.get('dots_stored', 0)} stored,"
            f" {counts.get('dots_in_pens', 0)} in pens, {counts.get('dots_in_losses', 0)} in flight (inside losses),"
            f" {counts.get('dots_lost_unexplained', 0)} unexplained"
        )
        lines.append(
            f"  shown live: {counts.get('shown_dots', 0)} dots, {counts.get('shown_dots_missing', 0)} not stored,"
            f" {counts.get('shown_dots_forgiven', 0)} taken away by the image that was put back"
        )
        lines.append(
            f"  results: {counts.get('results_made', 0)} made, {counts.get('results_in_district', 0)} in the district;"
            f" {counts.get('results_missing', 0)} missing, {counts.get('results_doubled', 0)} doubled"
        )
    lines += [f"  - not done: {why}" for why in one["skipped"]]
    lines += [f"  ! {fault}" for fault in one["faults"][:_FAULTS_TOLD]]
    return lines


def _named(numbers: dict[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in numbers.items())


def _spread(of: dict[str, float]) -> str:
    return f"{of['least']} / {of['median']} / {of['most']} (least, median, most of {of['n']})" if of else "none"
