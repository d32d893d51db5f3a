//! `clean` and `tokens` of chalicelib/classifier/text.py, for texts of plain characters.

const std = @import("std");
const mend = @import("mend.zig");
const Characters = @import("Characters.zig");
const Output = @import("Output.zig");
const Error = Output.Error;
const Index = Characters.Index;
const Text = Characters.Text;

/// Entities resolved at most so often: `UNESCAPED`.
const unescaped = 4;

/// The text as the classifier is given it. It lies in one of the two buffers.
pub fn clean(characters: *const Characters, text: []const u8, one: []Index, other: []Index) Error![]const Index {
    var from: Text = .{ .buffer = one };
    var to: Text = .{ .buffer = other };
    try characters.decode(text, &from);
    if (has(from.get(), "&")) {
        for (0..unescaped) |_| {
            const changed = try unescape(from.get(), &to);
            swap(&from, &to);
            if (!changed) break;
        }
    }
    if (!isAscii(from.get())) {
        if (try mend.mend(characters, from.get(), &to)) swap(&from, &to);
        for (from.get()) |index| {
            if (characters.get(index).plainer) |plainer| try to.addAll(plainer) else try to.add(index);
        }
        swap(&from, &to);
    }
    if (has(from.get(), "http")) {
        try withoutLinks(characters, from.get(), false, &to);
        swap(&from, &to);
    }
    if (mayHaveOddLinks(from.get())) {
        try withoutLinks(characters, from.get(), true, &to);
        swap(&from, &to);
    }
    if (has(from.get(), "@") or has(from.get(), "RT")) {
        try withoutMentions(characters, from.get(), &to);
        swap(&from, &to);
    }
    if (has(from.get(), "#")) {
        try withWordsOfHashtags(characters, from.get(), &to);
        swap(&from, &to);
    }
    try withSingleSpaces(characters, from.get(), &to);
    return to.get();
}

fn isAscii(text: []const Index) bool {
    for (text) |character| if (character >= 128) return false;
    return true;
}

fn has(text: []const Index, part: []const u8) bool {
    var at: usize = 0;
    while (std.mem.findScalarPos(Index, text, at, part[0])) |found| : (at = found + 1) {
        if (startsWith(text[found..], part)) return true;
    }
    return false;
}

fn mayHaveOddLinks(text: []const Index) bool {
    for (text, 0..) |character, at| {
        const found = switch (character) {
            'w' => startsWith(text[at..], "www"),
            'H' => startsWith(text[at..], "HTTP") or startsWith(text[at..], "Http"),
            'p' => startsWith(text[at..], "pic.t"),
            else => false,
        };
        if (found) return true;
    }
    return false;
}

fn startsWith(text: []const Index, part: []const u8) bool {
    if (text.len < part.len) return false;
    for (text[0..part.len], part) |character, wanted| if (character != wanted) return false;
    return true;
}

/// In any case. `part` is in lower case; none of the characters beyond ASCII is the same as one of it in another case.
fn startsWithAnyCase(text: []const Index, part: []const u8) bool {
    if (text.len < part.len) return false;
    for (text[0..part.len], part) |character, wanted| {
        const upper = character >= 'A' and character <= 'Z';
        if (character + (if (upper) @as(Index, 'a' - 'A') else 0) != wanted) return false;
    }
    return true;
}

fn swap(from: *Text, to: *Text) void {
    std.mem.swap(Text, from, to);
    to.used = 0;
}

/// One pass of `html.unescape`, where a text has no entities but the commonest; return whether it has any.
fn unescape(text: []const Index, to: *Text) Error!bool {
    var changed = false;
    var at: usize = 0;
    while (at < text.len) {
        const left = text[at..];
        const character: Index, const length: usize = if (left[0] != '&')
            .{ left[0], 1 }
        else if (startsWith(left, "&amp;"))
            .{ '&', 5 }
        else if (startsWith(left, "&lt;"))
            .{ '<', 4 }
        else if (startsWith(left, "&gt;"))
            .{ '>', 4 }
        else if (left.len == 1)
            .{ '&', 1 }
        else switch (left[1]) {
            '\t', '\n', '\x0c', ' ', '<', '&', ';' => .{ '&', 1 }, // begins no entity
            else => return error.Unusual,
        };
        changed = changed or length > 1;
        try to.add(character);
        at += length;
    }
    return changed;
}

/// `_LINK`, or `_ODD_LINK` in any case.
fn withoutLinks(characters: *const Characters, text: []const Index, odd: bool, to: *Text) Error!void {
    var at: usize = 0;
    while (at < text.len) {
        if (beginsLink(text[at..], odd)) {
            while (at < text.len and !characters.get(text[at]).space) at += 1;
            try to.add(' ');
        } else {
            try to.add(text[at]);
            at += 1;
        }
    }
}

fn beginsLink(text: []const Index, odd: bool) bool {
    if (!odd) return startsWith(text, "http:/") or startsWith(text, "https:/");
    for ([_][]const u8{ "http:/", "https:/", "www.", "pic.twitter.com/" }) |start| {
        if (startsWithAnyCase(text, start)) return true;
    }
    return false;
}

/// `_RETWEET`, which finds what `_MENTION` does where the text has no `RT`.
fn withoutMentions(characters: *const Characters, text: []const Index, to: *Text) Error!void {
    var at: usize = 0;
    while (at < text.len) {
        var found = mentionAt(characters, text, at);
        if (found == 0 and at == 0) found = retweetOf(characters, text);
        try to.add(if (found > 0) ' ' else text[at]);
        at += @max(found, 1);
    }
}

/// Length of `(?<![\w@])(?:RT\s*+(?::\s*+)?)?@\w+:?` at a place; 0 if it isn't there.
fn mentionAt(characters: *const Characters, text: []const Index, start: usize) usize {
    if (text[start] != '@' and text[start] != 'R') return 0;
    if (start > 0 and (text[start - 1] == '@' or characters.get(text[start - 1]).word)) return 0;
    var at = start;
    if (startsWith(text[at..], "RT")) {
        at = afterSpaces(characters, text, at + 2);
        if (at < text.len and text[at] == ':') at = afterSpaces(characters, text, at + 1);
    }
    if (at + 1 >= text.len or text[at] != '@' or !characters.get(text[at + 1]).word) return 0;
    at += 1;
    while (at < text.len and characters.get(text[at]).word) at += 1;
    if (at < text.len and text[at] == ':') at += 1;
    return at - start;
}

/// Length of `^\s*RT\b\s*:?`; 0 if it isn't there.
fn retweetOf(characters: *const Characters, text: []const Index) usize {
    var at = afterSpaces(characters, text, 0);
    if (!startsWith(text[at..], "RT")) return 0;
    at += 2;
    if (at < text.len and characters.get(text[at]).word) return 0;
    at = afterSpaces(characters, text, at);
    if (at < text.len and text[at] == ':') at += 1;
    return at;
}

fn afterSpaces(characters: *const Characters, text: []const Index, start: usize) usize {
    var at = start;
    while (at < text.len and characters.get(text[at]).space) at += 1;
    return at;
}

/// `#floodRelief` as ` flood Relief`.
fn withWordsOfHashtags(characters: *const Characters, text: []const Index, to: *Text) Error!void {
    var inside = false;
    var before: Index = ' ';
    for (text) |character| {
        if (character == '#') {
            try to.add(' ');
            inside = true;
        } else {
            inside = inside and characters.get(character).word;
            const hump = before >= 'a' and before <= 'z' and character >= 'A' and character <= 'Z';
            if (inside and hump) try to.add(' ');
            try to.add(character);
        }
        before = character;
    }
}

/// `" ".join(text.split())`
fn withSingleSpaces(characters: *const Characters, text: []const Index, to: *Text) Error!void {
    var pending = false;
    for (text) |character| {
        if (characters.get(character).space) {
            pending = to.used > 0;
        } else {
            if (pending) try to.add(' ');
            pending = false;
            try to.add(character);
        }
    }
}

/// The words of a cleaned text, one at a time, folded and in lower case.
pub const Tokens = struct {
    characters: *const Characters,
    text: []const Index,
    lower: Output,
    at: usize = 0,

    pub fn next(tokens: *Tokens) Error!?[]const u8 {
        const text = tokens.text;
        var at = tokens.at;
        while (at < text.len and !tokens.letters(at)) at += 1;
        const start = tokens.lower.used;
        while (at < text.len) : (at += 1) {
            const character = tokens.characters.get(text[at]);
            if (character.letters) {
                if (character.folded.len == 1) try tokens.lower.byte(character.folded[0]) else try tokens.lower.bytes(character.folded);
            } else if (text[at] == '\'' and at + 1 < text.len and tokens.letters(at + 1)) {
                try tokens.lower.byte('\'');
            } else break;
        }
        tokens.at = at;
        return if (tokens.lower.used > start) tokens.lower.buffer[start..tokens.lower.used] else null;
    }

    fn letters(tokens: *const Tokens, at: usize) bool {
        return tokens.characters.get(tokens.text[at]).letters;
    }
};
