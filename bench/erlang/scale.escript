#!/usr/bin/env escript
%% -*- erlang -*-
%%! +P 1000000
%% The steps of bench/kernel/scale.py that Erlang/OTP stands beside: one step, one JSON line.
-mode(compile).
-behaviour(gen_server).
-export([main/1]).
-export([init/1, handle_call/3, handle_cast/2, handle_info/2]).

-define(RING, 10000).

main([Step, Number]) ->
    logger:set_primary_config(level, none),
    N = list_to_integer(Number),
    io:put_chars(run(Step, N)),
    io:nl();
main(_) ->
    io:put_chars(standard_error, "usage: scale.escript alive|ring|server_ring|children N\n"),
    halt(2).

%% N servers alive: started, each sent a message that it answers, each stopped.
run("alive", N) ->
    [gen_server:stop(Pid) || Pid <- started(N div 20)],
    Before = alive(),
    T0 = now_native(),
    Pids = started(N),
    T1 = now_native(),
    N = alive() - Before,
    [gen_server:cast(Pid, self()) || Pid <- Pids],
    [receive here -> ok end || _ <- Pids],
    T2 = now_native(),
    [gen_server:stop(Pid) || Pid <- Pids],
    T3 = now_native(),
    Before = alive(),
    rates(N, [{start, T1 - T0}, {message, T2 - T1}, {stop, T3 - T2}]);
%% One token, N hops, round a ring of plain processes.
run("ring", N) ->
    Observer = self(),
    Pids = [spawn(fun() -> receive {next, Next} -> pass_on(Observer, Next) end end)
            || _ <- lists:seq(1, ?RING)],
    [Pid ! {next, Next} || {Pid, Next} <- pairs(Pids)],
    lap(hd(Pids), N, fun(Pid, Left) -> Pid ! Left end);
%% The same round a ring of servers.
run("server_ring", N) ->
    Pids = [begin {ok, Pid} = gen_server:start(?MODULE, {relay, self()}, []), Pid end
            || _ <- lists:seq(1, ?RING)],
    [ok = gen_server:call(Pid, {next, Next}) || {Pid, Next} <- pairs(Pids)],
    lap(hd(Pids), N, fun(Pid, Left) -> gen_server:cast(Pid, Left) end);
%% A supervisor: N children started, terminated one by one, started again, stopped with it.
run("children", N) ->
    {ok, Sup} = supervisor:start_link(?MODULE, tree),
    [ok = supervisor:terminate_child(Sup, child(Sup)) || _ <- lists:seq(1, N div 20)],
    Before = alive(),
    T0 = now_native(),
    Pids = [child(Sup) || _ <- lists:seq(1, N)],
    T1 = now_native(),
    N = alive() - Before,
    [ok = supervisor:terminate_child(Sup, Pid) || Pid <- Pids],
    T2 = now_native(),
    Before = alive(),
    Again = [child(Sup) || _ <- lists:seq(1, N)],
    T3 = now_native(),
    gen_server:stop(Sup),
    T4 = now_native(),
    false = lists:any(fun is_process_alive/1, Again),
    rates(N, [{start, T1 - T0}, {terminate, T2 - T1}, {stop, T4 - T3}]).

started(N) -> [begin {ok, Pid} = gen_server:start(?MODULE, counter, []), Pid end
               || _ <- lists:seq(1, N)].

child(Sup) ->
    {ok, Pid} = supervisor:start_child(Sup, []),
    Pid.

pairs([First | Rest] = Pids) -> lists:zip(Pids, Rest ++ [First]).

pass_on(Observer, Next) ->
    receive
        0 -> Observer ! done;
        Left -> Next ! Left - 1
    end,
    pass_on(Observer, Next).

lap(First, N, Put) ->
    Put(First, ?RING),
    receive done -> ok end,
    T0 = now_native(),
    Put(First, N),
    receive done -> ok end,
    rates(N, [{per_second, now_native() - T0}]).

alive() -> erlang:system_info(process_count).

now_native() -> erlang:monotonic_time().

rates(N, Times) ->
    Shown = [io_lib:format("\"~s\": ~.1f", [Key, N * 1.0e9 / nanoseconds(Time)])
             || {Key, Time} <- Times],
    ["{", lists:join(", ", Shown), "}"].

nanoseconds(Native) -> erlang:convert_time_unit(Native, native, nanosecond).

%% gen_server and supervisor callbacks

init(counter) -> {ok, 0};
init({relay, Observer}) -> {ok, {Observer, none}};
init(tree) ->
    {ok, {#{strategy => simple_one_for_one},
          [#{id => child, start => {gen_server, start_link, [?MODULE, counter, []]},
             restart => temporary}]}}.

handle_call({next, Next}, _, {Observer, _}) -> {reply, ok, {Observer, Next}};
handle_call(value, _, Count) -> {reply, Count, Count}.

handle_cast(0, {Observer, Next}) ->
    Observer ! done,
    {noreply, {Observer, Next}};
handle_cast(Left, {Observer, Next}) ->
    gen_server:cast(Next, Left - 1),
    {noreply, {Observer, Next}};
handle_cast(Observer, Count) ->
    Observer ! here,
    {noreply, Count + 1}.

handle_info(_, State) -> {noreply, State}.
