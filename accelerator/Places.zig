//! `find` of chalicelib/places/find.py: the place that a text speaks of.

const std = @import("std");
const Characters = @import("Characters.zig");
const Gazetteer = @import("Gazetteer.zig");
const Input = @import("Input.zig");
const Output = @import("Output.zig");
const mentions = @import("mentions.zig");
const Error = Output.Error;
const Mention = mentions.Mention;
const Mentions = mentions.Mentions;
const Place = Gazetteer.Place;
const Places = @This();

const likely = 26; // what a place at the author's own location is given over others of its name
const longest_location = 200; // characters

gazetteer: Gazetteer,
literal: [6][]const u8, // of a row: before each of a place's values, and behind the last
bases: [3][]const u8, // what tells it, in the order of `Basis`

pub const Scratch = mentions.Text;

const Found = struct { place: Place, basis: mentions.Basis };

pub fn init(input: *Input, allocator: std.mem.Allocator) !Places {
    var places: Places = undefined;
    for (&places.literal) |*literal| literal.* = try input.bytes(u8);
    for (&places.bases) |*basis| basis.* = try input.bytes(u8);
    places.gazetteer = try .init(input, allocator);
    return places;
}

/// Writes the columns of the place that a text speaks of, if it does. `text`, `location`: valid UTF-8, as they came.
pub fn write(places: *const Places, characters: *const Characters, text: []const u8, location: ?[]const u8, scratch: *Scratch, out: *Output) Error!void {
    const found = try places.find(characters, text, location, scratch) orelse return;
    const gazetteer = &places.gazetteer;
    const code = gazetteer.codes[gazetteer.country.get(found.place)];
    try out.bytes(places.literal[0]);
    try out.bytes(gazetteer.name(found.place));
    try out.bytes(places.literal[1]);
    if (code.len > 0) try out.quoted(code) else try out.bytes("null");
    try out.bytes(places.literal[2]);
    try degrees(gazetteer.latitude.get(found.place), out);
    try out.bytes(places.literal[3]);
    try degrees(gazetteer.longitude.get(found.place), out);
    try out.bytes(places.literal[4]);
    try out.bytes(places.bases[@intFromEnum(found.basis)]);
    try out.bytes(places.literal[5]);
}

/// As `%.4f` writes them.
fn degrees(value: i32, out: *Output) Error!void {
    if (value < 0) try out.byte('-');
    try out.number(@abs(value) / 10_000);
    try out.byte('.');
    try out.padded(@abs(value) % 10_000, 4);
}

fn find(places: *const Places, characters: *const Characters, text: []const u8, location: ?[]const u8, scratch: *Scratch) Error!?Found {
    var choice: Choice = .{ .places = places, .characters = characters, .location = location, .scratch = scratch };
    try mentions.mentions(characters, &places.gazetteer, text, scratch, &choice.found);
    return if (choice.found.used == 0) null else try choice.make();
}

/// `_chosen`, of the places that a text's mentions have.
const Choice = struct {
    places: *const Places,
    characters: *const Characters,
    location: ?[]const u8,
    scratch: *Scratch,
    found: Mentions = .{},
    home: ?Mentions = null, // in `location`; looked for when first asked for

    fn make(choice: *Choice) Error!Found {
        const gazetteer = &choice.places.gazetteer;
        var buffer: [mentions.most]Found = undefined;
        var votes: [256]f32 = @splat(0);
        const settled = buffer[0..choice.found.used];
        for (choice.found.list(), settled) |mention, *each| {
            each.* = .{ .place = gazetteer.placeOf(mention.number, 0), .basis = mention.basis };
            if (mention.number.places > 1 and !choice.isSize(each.place, .country)) each.* = try choice.meant(mention);
            votes[gazetteer.country.get(each.place)] += mention.strength;
        }
        var most = gazetteer.country.get(settled[0].place); // the first of those with most votes
        for (settled) |each| {
            const country = gazetteer.country.get(each.place);
            if (votes[country] > votes[most]) most = country;
        }
        var chosen: ?Found = null; // the first of the smallest kind
        for (settled) |each| {
            if (gazetteer.country.get(each.place) != most) continue;
            if (chosen == null or gazetteer.size.get(each.place) > gazetteer.size.get(chosen.?.place)) chosen = each;
        }
        return chosen.?;
    }

    /// `_meant`, of a name that several places have.
    fn meant(choice: *Choice, mention: Mention) Error!Found {
        const gazetteer = &choice.places.gazetteer;
        const number = mention.number;
        const best = gazetteer.placeOf(number, 0);
        if (choice.found.used > 1) {
            for (0..number.places) |nth| {
                const place = gazetteer.placeOf(number, nth);
                if (choice.isNamed(gazetteer.region.get(place), .region) and !choice.isNamed(place, .region)) return .{ .place = place, .basis = mention.basis };
            }
            if (choice.namesCountries() and !choice.namesCountryOf(best)) {
                for (0..number.places) |nth| {
                    const place = gazetteer.placeOf(number, nth);
                    if (choice.namesCountryOf(place)) return .{ .place = place, .basis = mention.basis };
                }
            }
        }
        const found = try choice.atHome(number) orelse best;
        return .{ .place = found, .basis = if (found == best) mention.basis else .author_location };
    }

    fn isSize(choice: *const Choice, place: Place, size: Gazetteer.Size) bool {
        return choice.places.gazetteer.size.get(place) == @intFromEnum(size);
    }

    /// Whether a mention's likeliest place is this one, and of this size.
    fn isNamed(choice: *const Choice, place: Place, size: Gazetteer.Size) bool {
        if (!choice.isSize(place, size)) return false;
        for (choice.found.list()) |mention| if (choice.places.gazetteer.placeOf(mention.number, 0) == place) return true;
        return false;
    }

    fn namesCountries(choice: *const Choice) bool {
        for (choice.found.list()) |mention| if (choice.isSize(choice.places.gazetteer.placeOf(mention.number, 0), .country)) return true;
        return false;
    }

    fn namesCountryOf(choice: *const Choice, place: Place) bool {
        const gazetteer = &choice.places.gazetteer;
        for (choice.found.list()) |mention| {
            const named = gazetteer.placeOf(mention.number, 0);
            if (choice.isSize(named, .country) and gazetteer.country.get(named) == gazetteer.country.get(place)) return true;
        }
        return false;
    }

    /// Which of the places of a name is where the author lives: in a region, else in a country that the location names.
    fn atHome(choice: *Choice, number: Gazetteer.Number) Error!?Place {
        const gazetteer = &choice.places.gazetteer;
        const location = choice.location orelse return null;
        if (choice.home == null) {
            choice.home = .{};
            try mentions.mentions(choice.characters, gazetteer, first(location), choice.scratch, &choice.home.?);
        }
        const most = gazetteer.people.get(gazetteer.placeOf(number, 0));
        for ([_]Gazetteer.Size{ .region, .country }) |size| {
            for (0..number.places) |nth| {
                const place = gazetteer.placeOf(number, nth);
                if (@as(u32, gazetteer.people.get(place)) + likely <= most) continue;
                for (choice.home.?.list()) |mention| {
                    const there = gazetteer.placeOf(mention.number, 0);
                    const same = switch (size) {
                        .region => !choice.isSize(there, .country) and gazetteer.region.get(place) == gazetteer.region.get(there),
                        else => gazetteer.country.get(place) == gazetteer.country.get(there),
                    };
                    if (same) return place;
                }
            }
        }
        return null;
    }
};

/// The first characters of a location.
fn first(location: []const u8) []const u8 {
    var count: usize = 0;
    for (location, 0..) |byte, at| {
        if (byte & 0xc0 == 0x80) continue;
        if (count == longest_location) return location[0..at];
        count += 1;
    }
    return location;
}
