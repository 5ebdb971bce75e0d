#!/usr/bin/env escript
%%! -kernel logger_level notice
-module(o28_start_monitor).
-mode(compile).
-compile([export_all, nowarn_export_all, nowarn_unused_function, nowarn_shadow_vars]).

%% O28  1.2: start_monitor. The monitor is there before the process runs; a start
%% that fails has a DOWN of its own under proc_lib and none under the behaviours.
run() ->
    process_flag(trap_exit, true),
    started(serves, start(fun() -> ack(), receive stop -> ok end end)),
    started(ends_at_once, start(fun() -> ack(), exit(shutdown) end)),
    started(fails, start(fun() -> exit({shutdown, no_disk}) end)),
    started(returns, start(fun() -> ok end)),
    started(ignored, start(fun() -> proc_lib:init_ack(ignore) end)),
    started(late, proc_lib:start_monitor(?MODULE, go, [fun() -> timer:sleep(9000) end], 50)),
    {{ok, P1}, M1} = proc_lib:start_monitor(?MODULE, go, [fun() -> ack(), receive stop -> ok end end], infinity, [link]),
    name(P1, linked), P1 ! stop,
    ev(obs, linked, [down(M1), receive {'EXIT', P1, W} -> {'EXIT', W} end]),
    behaviour(gen_server, {ok, s}), behaviour(gen_statem, {ok, a, d}),
    [ev(obs, refused, gen_server:start_monitor(?MODULE, {m, X}, [])) || X <- [{stop, shutdown}, ignore]],
    {ok, {P2, M2}} = gen_server:start_monitor(?MODULE, {m, {ok, s, {continue, shutdown}}}, []),
    ev(obs, continued, down(M2)), ev(obs, gone, is_process_alive(P2)),
    {ok, {P3, M3}} = gen_event:start_monitor(), name(P3, events),
    gen_event:stop(P3), ev(obs, events, down(M3)),
    ev(obs, left, drain()).
behaviour(Mod, Init) ->
    {ok, {P, M}} = Mod:start_monitor({local, Mod}, ?MODULE, {m, Init}, []), name(P, Mod),
    ev(obs, taken, Mod:start_monitor({local, Mod}, ?MODULE, {m, Init}, [])),
    exit(P, kill), ev(obs, Mod, down(M)).
start(F) -> proc_lib:start_monitor(?MODULE, go, [F]).
go(F) -> F().
ack() -> proc_lib:init_ack({ok, self()}).
started(What, {{ok, P}, M}) -> name(P, What), P ! stop, ev(obs, What, {ok, down(M)});
started(What, {R, M}) -> ev(obs, What, {R, down(M)}).
down(M) -> receive {'DOWN', M, process, _, R} -> {'DOWN', R} after 1000 -> none end.
callback_mode() -> handle_event_function.
init({m, X}) -> X.
handle_continue(R, S) -> {stop, R, S}.
handle_call(_, _, S) -> {reply, ok, S}.
handle_cast(_, S) -> {noreply, S}.
handle_event(_, _, _, _) -> keep_state_and_data.


%% ---------------------------------------------------------------------------
%% Harness (identical in every scenario file).
%% A trace line is  "<who> <event> <term>".  Pids print as the symbolic name
%% they were introduced under (c1#2 = second incarnation of child c1),
%% references as '$ref', stack traces as '$stack'.  Supervisor reports are part
%% of the order (the supervisor logs them itself); lines starting with "~" are
%% the other reports, sorted: their order is no part of the contract.
%% ---------------------------------------------------------------------------
main(_) ->
    Me = self(),
    ets:new(names, [named_table, public]),
    ets:new(incarnation, [named_table, public]),
    ets:new(plan, [named_table, public]),
    register(trace_log, spawn(fun() -> log_loop([], []) end)),
    logger:remove_handler(default),
    logger:add_handler(trace_h, ?MODULE, #{filter_default => log}),
    name(Me, main),
    process_flag(trap_exit, true),
    {P, R} = spawn_monitor(fun() -> name(self(), obs), run() end),
    receive
        {'DOWN', R, process, P, normal} -> ok;
        {'DOWN', R, process, P, Why} -> ev(main, scenario_crashed, Why)
    end,
    timer:sleep(300),                      % let the last reports come in
    trace_log ! {dump, Me},
    receive {lines, Ls, Rs} ->
        [io:put_chars([L, $\n]) || L <- Ls],
        [io:put_chars(["~ ", L, $\n]) || L <- lists:sort(Rs)]
    end,
    halt(0).

%% Ordered events, and reports whose order is not part of the contract.
log_loop(Acc, Rep) ->
    receive
        {ev, From, Ref, Line} -> From ! {Ref, ok}, log_loop([Line | Acc], Rep);
        {report, Line} -> log_loop(Acc, [Line | Rep]);
        {dump, From} -> From ! {lines, lists:reverse(Acc), Rep}
    end.

%% Synchronous: the event is on record before the caller goes on.
ev(Who, Event, Term) ->
    Ref = make_ref(),
    trace_log ! {ev, self(), Ref, line(Who, Event, Term)},
    receive {Ref, ok} -> ok end.

line(Who, Event, Term) ->
    unicode:characters_to_list(io_lib:format("~ts ~ts ~0tp", [str(Who), str(Event), clean(Term)])).
report(Event, Term) -> trace_log ! {report, line(log, Event, Term)}, ok.

str(X) when is_atom(X) -> atom_to_list(X);
str(X) when is_pid(X) -> str(clean(X));
str(X) -> io_lib:format("~0tp", [X]).

name(Pid, N) -> ets:insert(names, {Pid, N}), N.

%% The label for the next incarnation of Id: c1#1, c1#2, ...
next(Id) ->
    N = ets:update_counter(incarnation, Id, 1, {Id, 0}),
    L = list_to_atom(atom_to_list(Id) ++ "#" ++ integer_to_list(N)),
    name(self(), L), {L, N}.

clean(P) when is_pid(P) ->
    case ets:lookup(names, P) of [{_, N}] -> N; [] -> '$pid' end;
clean(R) when is_reference(R) -> '$ref';
clean(F) when is_function(F) -> '$fun';
clean([{M, F, A, L} | _]) when is_atom(M), is_atom(F), is_list(L),
                               (is_integer(A) orelse is_list(A)) -> '$stack';
clean([H | T]) -> [clean(H) | clean(T)];
clean(T) when is_tuple(T) -> list_to_tuple([clean(X) || X <- tuple_to_list(T)]);
clean(M) when is_map(M) -> maps:map(fun(_, V) -> clean(V) end, M);
clean(X) -> X.

%% Reports seen by the logger, as trace lines.
log(#{msg := {report, #{label := {supervisor, progress}}}}, _) -> ok;
log(#{msg := {report, #{label := {supervisor, Ctx}, report := R}}}, _) ->
    Off = proplists:get_value(offender, R),
    ev(log, supervisor_report, {Ctx, proplists:get_value(id, Off),
                                proplists:get_value(reason, R)});
log(#{msg := {report, #{label := {gen_server, terminate}, name := N, reason := R}}}, _) ->
    report(gen_server_terminate, {N, R});
log(#{msg := {report, #{label := {proc_lib, crash}, report := [I | _]}}}, _) ->
    {C, R, _} = proplists:get_value(error_info, I),
    report(crash_report, {proplists:get_value(pid, I), C, R});
log(#{msg := {string, S}}, _) -> report(string, lists:flatten(S));
log(#{msg := {report, #{label := L}}}, _) -> report(report, L);
log(#{msg := {F, A}}, _) when is_list(F) ->
    report(message, lists:flatten(io_lib:format(F, clean(A))));
log(_, _) -> ok.

drain() -> receive M -> [clean(M) | drain()] after 50 -> [] end.
wait(F) -> wait(F, 400).
wait(_, 0) -> timeout;
wait(F, N) -> case F() of true -> ok; _ -> timer:sleep(5), wait(F, N - 1) end.
